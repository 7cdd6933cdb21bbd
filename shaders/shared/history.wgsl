// Element i of history followed by x, rows of the same channels. The importing shader binds x and history, and its parameters
// say where they begin (x_offset, history_offset) and how many elements history has (past).
fn past_and_present(i: u32) -> f32 {
    if i < params.past {
        return history[params.history_offset + i];
    }
    return x[params.x_offset + i - params.past];
}
