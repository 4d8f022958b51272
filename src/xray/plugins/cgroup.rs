//! What `/proc/self/cgroup` says about a container.

/// The id of the container: 64 hexadecimal digits, as Docker and containerd make them. The second version of control groups
/// shows none from within.
pub(super) fn container_id(cgroup: &str) -> Option<&str> {
    let words = cgroup.split(|char: char| !char.is_ascii_hexdigit());
    words.rev().find(|word| word.len() == ID)
}

/// Whether an agent of ECS has made it.
pub(super) fn is_ecs(cgroup: &str) -> bool {
    cgroup.lines().any(|line| line.contains(":/ecs/"))
}

const ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "d4f5e6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809";

    #[test]
    fn ids_are_found_as_docker_ecs_and_containerd_write_them() {
        for line in [
            format!("11:memory:/docker/{DOCKER}"),
            format!("4:pids:/ecs/0206b271b33f49ab86c6401a0ee208a9/{DOCKER}\n3:cpu:/"),
            format!("0::/kubepods/burstable/podab12/cri-containerd-{DOCKER}.scope"),
            format!("1:name=systemd:/kubepods/besteffort/pod0ff1ce/{DOCKER}"),
        ] {
            assert_eq!(container_id(&line), Some(DOCKER), "{line}");
        }
    }

    #[test]
    fn what_is_no_id_is_none() {
        for line in ["", "0::/", "0::/../..", "1:cpu:/user.slice/user-1000.slice"] {
            assert_eq!(container_id(line), None, "{line}");
        }
        assert_eq!(container_id(&format!("1:cpu:/docker/{DOCKER}0")), None);
    }

    #[test]
    fn groups_of_ecs_are_told_from_others() {
        assert!(is_ecs("9:cpuset:/\n8:memory:/ecs/0206b271/abc"));
        assert!(!is_ecs("9:cpuset:/docker/abc/ecs/"));
    }
}
