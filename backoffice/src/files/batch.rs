//! A file that is previewed, started, and run line by line.

text_enum! {
    /// Where a file stands.
    State {
        Previewed = "previewed",
        WaitingForApproval = "waiting_for_approval",
        Declined = "declined",
        Running = "running",
        Stopped = "stopped",
        Finished = "finished",
    }
}
