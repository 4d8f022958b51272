//! Serves one variant and counts what its first thread allocates. A program of its own, since counting has a cost.

use belvedere_peers::{ordered, served};

fn main() {
    let variant = ordered().expect("`serve` and the name of a variant");
    served::serve(variant, |serve| allocation_counter::measure(serve).count_total);
}
