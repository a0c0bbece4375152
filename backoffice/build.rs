fn main() {
    // A new migration must be compiled in even when no Rust file changed.
    println!("cargo::rerun-if-changed=../migrations");
}
