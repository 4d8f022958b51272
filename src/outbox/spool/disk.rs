//! As much of a file system as the spool needs.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
    process,
};

/// A file system. The real one is [`SystemDisk`].
pub(crate) trait Disk: Clone + Send + 'static {
    /// An open file.
    type File: DiskFile;

    /// Makes a folder in one that is there. That it is there itself is no error.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes a file, to read and write. That it is there is an error.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens a file that is there, to read and write.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Moves a file to where another may be.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
    /// The names of what is in a folder, in any order, as far as they are text.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Returns when what was made, moved and removed in the folder will survive a power cut.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// The process that asks.
    fn process(&self) -> u32;
}

/// An open file, read and written at places.
pub(crate) trait DiskFile: Send + 'static {
    /// Reads some bytes. Zero says that the file ends here.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some bytes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts the file, or extends it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// How long it is.
    fn length(&self) -> io::Result<u64>;
    /// Returns when what was written will survive a power cut.
    fn sync(&self) -> io::Result<()>;
    /// Whether it is still in a folder.
    fn is_linked(&self) -> io::Result<bool>;
}

/// The file system of the operating system. What it makes is for the owner's eyes only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemDisk;

// ===== impl SystemDisk =====

impl Disk for SystemDisk {
    type File = File;

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            made => made,
        }
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        options().create_new(true).open(path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        options().open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        fs::remove_dir(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect()
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn process(&self) -> u32 {
        process::id()
    }
}

// ===== impl File =====

impl DiskFile for File {
    #[cfg(unix)]
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, into, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, into, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(self, bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    #[cfg(unix)]
    fn is_linked(&self) -> io::Result<bool> {
        Ok(std::os::unix::fs::MetadataExt::nlink(&self.metadata()?) > 0)
    }

    #[cfg(not(unix))]
    fn is_linked(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// Why the disk refused, in a phrase to count under.
pub(crate) fn phrase(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk full",
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => "disk read-only",
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "spool gone",
        io::ErrorKind::FileTooLarge => "too large for the spool",
        _ => "disk error",
    }
}

/// Writes all of it, and says how much was written where an error came between.
pub(super) fn write_all(file: &impl DiskFile, bytes: &[u8], offset: u64) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(&bytes[written..], offset + written as u64) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Reads until it is full or the file ends, and says how much that was.
pub(super) fn read_full(file: &impl DiskFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

fn options() -> OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.read(true).write(true);
    options
}
