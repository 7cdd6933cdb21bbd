//! How the threads of a workgroup share products for few rows: the constants of `shaders/shared/teams.wgsl` and
//! `shaders/shared/row_products.wgsl`.

use crate::shader::{Dispatch, Target};

/// Threads of a workgroup.
pub(super) const SIZE: usize = 256;

/// Rows of x that one workgroup takes.
pub(super) const MOST_COLUMNS: usize = 8;

/// Loads of 16 bytes of weights that a thread has under way at once, by rows of x: enough of them hide the memory's latency, more
/// cost registers.
const LOADS: [(usize, usize); 3] = [(1, 12), (4, 8), (MOST_COLUMNS, 4)];

/// What a product asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    /// Results of one row of x.
    pub(super) outputs: usize,
    /// Rows of weights behind each result.
    pub(super) rows_each: usize,
    /// Pieces of 16 bytes in a row of weights.
    pub(super) chunks: usize,
    /// Rows of x.
    pub(super) columns: usize,
    /// Times that all this is done with other weights or other rows of x.
    pub(super) times: usize,
    /// Workgroups below which the rows are shared out further.
    pub(super) enough: usize,
    /// Threads of a team where there are workgroups enough.
    pub(super) lanes: usize,
}

/// A team has `lanes` threads, which walk along `rows` rows of weights, `steps` pieces of each at once, for `columns` rows of x.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Teams {
    pub(super) lanes: usize,
    pub(super) rows: usize,
    pub(super) steps: usize,
    pub(super) columns: usize,
    rows_each: usize,
    /// Whether a row of weights is loaded at once.
    once: bool,
}

impl Teams {
    pub(super) fn of(job: Job) -> Teams {
        let Job { outputs, rows_each, chunks, columns, times, enough, lanes } = job;
        let columns = columns.next_power_of_two().min(MOST_COLUMNS);
        // No lane is idle where the length of rows allows it.
        let even = (1 << chunks.trailing_zeros().min(5)).min(lanes);
        let lanes = if even >= 8 { even } else { chunks.next_power_of_two().min(lanes) };
        let rows = if columns > 4 { 2 } else { 4 };
        // Each result of a workgroup has a thread.
        let lanes = lanes.max(rows / rows_each * columns);
        let mut teams = Teams { lanes, rows, steps: 1, columns, rows_each, once: false };
        let few = |teams: &Teams| outputs.div_ceil(teams.height()) * times < enough;
        while few(&teams) && teams.lanes < SIZE && chunks.is_multiple_of(2 * teams.lanes) {
            teams.lanes *= 2;
        }
        while few(&teams) && teams.rows > rows_each {
            teams.rows /= 2;
        }
        let loads = LOADS.iter().find(|(most, _)| columns <= *most).map_or(1, |&(_, loads)| loads);
        teams.steps = (1..=4)
            .rfind(|steps| chunks.is_multiple_of(teams.lanes * steps) && teams.rows * steps <= loads)
            .unwrap_or(1);
        teams.once = chunks <= teams.lanes * teams.steps;
        teams
    }

    /// Results of one row of x that a workgroup makes.
    pub(super) fn height(&self) -> usize {
        SIZE / self.lanes * self.rows / self.rows_each
    }

    /// Tiles that make up all results of a job.
    pub(super) fn tiles(&self, outputs: usize, columns: usize) -> usize {
        outputs.div_ceil(self.height()) * columns.div_ceil(self.columns)
    }

    /// Gives the constants to a shader.
    pub(super) fn constants(&self, dispatch: Dispatch, normed: bool, target: &Target) -> Dispatch {
        let sums = (self.rows + usize::from(normed)) * self.columns;
        // Threads of a team whose values the smallest subgroup adds up.
        let part = target.subgroup.map_or(1, |(smallest, _)| self.lanes.min(smallest as usize));
        let constants = [
            ("LANES", self.lanes),
            ("ROWS", self.rows),
            ("STEPS", self.steps),
            ("COLUMNS", self.columns),
            ("ONCE", usize::from(self.once)),
            ("NORM", usize::from(normed)),
            ("SUMS", sums),
            ("PARTIALS", SIZE / part * sums),
        ];
        constants.into_iter().fold(dispatch, |d, (name, value)| d.constant(name, value as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teams_cover_their_rows_within_what_the_shader_holds() {
        for chunks in [1, 3, 5, 8, 48, 96, 128, 256, 512, 538, 640, 1024] {
            for (outputs, lanes) in
                [(1, 32), (17, 8), (128, 32), (768, 8), (2048, 32), (5120, 8), (152_064, 32)]
            {
                for (columns, rows_each) in [(1, 1), (2, 2), (3, 1), (5, 2), (8, 1), (40, 2)] {
                    let teams =
                        Teams::of(Job { outputs, rows_each, chunks, columns, times: 1, enough: 512, lanes });
                    assert!(teams.lanes.is_power_of_two() && teams.lanes <= SIZE, "{teams:?}");
                    assert!(
                        teams.rows.is_multiple_of(rows_each) && teams.rows * teams.steps <= 16,
                        "{teams:?}"
                    );
                    assert!((teams.rows + 1) * teams.columns <= 48, "{teams:?}");
                    assert!(teams.steps == 1 || chunks % (teams.lanes * teams.steps) == 0, "{teams:?}");
                    assert!(
                        teams.tiles(outputs, columns) * teams.height() * teams.columns >= outputs * columns
                    );
                }
            }
        }
    }

    #[test]
    fn real_rows_leave_no_lane_idle_and_enough_loads_under_way() {
        // Projections, output, router and head of the thinker in 16 bits, and their halves in eight.
        for (outputs, chunks) in
            [(5120, 256), (2048, 512), (152_064, 256), (5120, 128), (2048, 256), (2048, 96), (768, 48)]
        {
            let teams = Teams::of(Job {
                outputs,
                rows_each: 1,
                chunks,
                columns: 1,
                times: 1,
                enough: 512,
                lanes: 32,
            });
            assert!(chunks % teams.lanes == 0, "{teams:?}");
            let turns = chunks / (teams.lanes * teams.steps);
            assert!(teams.rows * teams.steps >= 4 || turns == 1, "{outputs} {chunks} {teams:?}");
        }
    }
}
