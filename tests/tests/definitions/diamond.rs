//! `diamond.yaml`: an exit handler that does this or that, as in Argo.

use finale::ExecutionStatus;
use serde_json::Value;

use super::play::{definition, failing, play, subsets};

#[test]
fn the_exit_handler_runs_once_and_does_what_fits_the_end() {
    for fails in subsets(&["top", "left", "right", "bottom", "tidy_up", "celebrate", "cry"]) {
        let ended = play(&definition("diamond.yaml"), &Value::Null, &failing(&fails));
        let is_well = !["top", "left", "right", "bottom"].iter().any(|step| fails.contains(step));
        // What fails in the exit handler changes nothing of how it ended.
        let expected = if is_well { ExecutionStatus::Completed } else { ExecutionStatus::Failed };
        assert_eq!(ended.status(), expected, "{fails:?}");
        let exit = ["tidy_up", "celebrate", "cry"].map(|handler| ended.times(handler));
        assert_eq!(exit, [1, usize::from(is_well), usize::from(!is_well)], "{fails:?}");
        if fails.contains("top") {
            assert_eq!(ended.times("step"), 1);
        }
    }
}
