//! The declarative files as types, their reader and their lint. The build script compiles this
//! folder too, so that a broken file fails the build by the same rules that `--actions DIR` obeys
//! at run time; it therefore names nothing outside `crate::http`.

pub mod definition;
pub mod lint;
pub mod pointer;
pub mod read;
