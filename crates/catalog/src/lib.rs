//! The declarative files as types, with the reader and the lint that the build and `--actions DIR`
//! share: a file that is wrong fails both for the same reasons. It opens no file; texts are handed
//! in.

pub mod definition;
pub mod lint;
pub mod reader;
pub mod references;
pub mod sections;
