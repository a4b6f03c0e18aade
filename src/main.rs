//! The program: hands its arguments to the command line and returns the exit code.

fn main() {}
