//! The time from the start of a process to its first answer.

use std::time::{Duration, Instant};

use super::Stage;
use crate::{Failure, figure::Figure};

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let mut times = Figure::times("start to first answer");
    for _ in 0..2 * stage.runs(Duration::ZERO) {
        let begin = Instant::now();
        stage.started().await?;
        times.time(begin.elapsed());
    }
    Ok(vec![times])
}
