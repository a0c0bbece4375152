//! What leaves the house as a file: tables for people's spreadsheets.

pub mod sheet;
