//! One pass over all measures, as one document.

use std::env::consts;
use std::path::Path;
use std::thread;

use serde::Serialize;

use crate::at_once::{self, AtOnce};
use crate::contender::BoxError;
use crate::durable::{self, Durable};
use crate::goals::{self, Goal};
use crate::growth::{self, Growth};
use crate::latency::{self, Latency};
use crate::memory::{self, Memory};
use crate::only::Only;
use crate::retention::{self, Retention};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::throughput::{self, Throughput};

/// Everything that is printed.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of finale.
    pub version: &'static str,
    /// Where it ran; figures of two machines do not compare, ratios nearly do.
    pub machine: Machine,
    /// Whether only results were checked; the times then mean nothing.
    pub quick: bool,
    /// How many executions were in flight.
    pub in_flight: usize,
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// What durability costs; in a quick pass, else it is a report of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable: Option<Durable>,
    /// How cost grows. Only a quick pass has it here: a whole measurement of it is the report of `growth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Vec<Growth>>,
    /// What forgetting costs; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Vec<Retention>>,
    /// What was promised; nothing is judged in a quick pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goals: Option<Vec<Goal>>,
}

/// What durability costs, by itself.
#[derive(Clone, Debug, Serialize)]
pub struct DurableReport {
    /// The version of finale.
    pub version: &'static str,
    /// Where it ran; figures of two machines do not compare, ratios nearly do.
    pub machine: Machine,
    /// Whether only results were checked; the times then mean nothing.
    pub quick: bool,
    /// What was measured.
    #[serde(flatten)]
    pub durable: Durable,
    /// What was promised; nothing is judged in a quick pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goals: Option<Vec<Goal>>,
}

/// What forgetting costs, by itself.
#[derive(Clone, Debug, Serialize)]
pub struct RetentionReport {
    /// The version of finale.
    pub version: &'static str,
    /// Where it ran; figures of two machines do not compare, ratios nearly do.
    pub machine: Machine,
    /// Whether only results were checked; the times then mean nothing.
    pub quick: bool,
    /// What was measured.
    pub retention: Vec<Retention>,
    /// What was promised; nothing is judged in a quick pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goals: Option<Vec<Goal>>,
}

/// How cost grows, by itself.
#[derive(Clone, Debug, Serialize)]
pub struct GrowthReport {
    /// The version of finale.
    pub version: &'static str,
    /// Where it ran; figures of two machines do not compare, ratios nearly do.
    pub machine: Machine,
    /// Whether only results were checked; the times then mean nothing.
    pub quick: bool,
    /// What was measured.
    pub growth: Vec<Growth>,
}

/// Where it ran.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The operating system.
    pub os: &'static str,
    /// The processor's family.
    pub arch: &'static str,
    /// How many threads run at once.
    pub cpus: usize,
}

/// The measures.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Executions a second, by shape.
    pub throughput: Vec<Throughput>,
    /// One execution at a time, by shape and contender.
    pub latency: Vec<Latency>,
    /// Executions that wait, by contender; `null` where the system does not say.
    pub memory: Option<Vec<Memory>>,
    /// All executions at once, by contender.
    pub at_once: Vec<AtOnce>,
}

/// Measures everything that is named, unless a result is wrong; in a quick pass of everything, also what is a report of its
/// own else, on the disk of that folder.
pub fn measure(only: Option<&Only>, scale: &Scale, folder: &Path) -> Result<Report, BoxError> {
    let is_whole = scale.quick && only.is_none();
    let only = only.cloned().unwrap_or_default();
    let (contenders, shapes) = (&mut only.contenders()?, only.shapes());
    let durable = is_whole.then(|| durable::measure(folder, &durable::scale::Scale::QUICK)).transpose()?;
    let growth = is_whole.then(|| growth::measure(contenders, scale)).transpose()?;
    let retention = is_whole.then(|| retention::measure(folder, &retention::scale::Scale::QUICK)).transpose()?;
    let with_chain = only.shape(Shape::chain().name);
    let measured = Measured {
        throughput: throughput::measure(contenders, &shapes, scale)?,
        latency: latency::measure(contenders, &shapes, scale)?,
        at_once: if with_chain { at_once::measure(contenders, scale)? } else { Vec::new() },
        memory: if with_chain { memory::measure(contenders, scale)? } else { Some(Vec::new()) },
    };
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        machine: machine(),
        quick: scale.quick,
        in_flight: scale.in_flight,
        goals: (!scale.quick).then(|| goals::judge(&measured)),
        measured,
        durable,
        growth,
        retention,
    })
}

/// Measures how cost grows, unless a result is wrong.
pub fn measure_growth(only: Option<&Only>, scale: &Scale) -> Result<GrowthReport, BoxError> {
    let contenders = &mut only.cloned().unwrap_or_default().contenders()?;
    let growth = growth::measure(contenders, scale)?;
    Ok(GrowthReport { version: env!("CARGO_PKG_VERSION"), machine: machine(), quick: scale.quick, growth })
}

/// Measures what durability costs in that folder, unless a result is wrong.
pub fn measure_durable(folder: &Path, scale: &durable::scale::Scale) -> Result<DurableReport, BoxError> {
    let durable = durable::measure(folder, scale)?;
    Ok(DurableReport {
        version: env!("CARGO_PKG_VERSION"),
        machine: machine(),
        quick: scale.quick,
        goals: (!scale.quick).then(|| goals::judge_durable(&durable, scale)),
        durable,
    })
}

/// Measures what forgetting costs in that folder, unless a result is wrong.
pub fn measure_retention(folder: &Path, scale: &retention::scale::Scale) -> Result<RetentionReport, BoxError> {
    let retention = retention::measure(folder, scale)?;
    Ok(RetentionReport {
        version: env!("CARGO_PKG_VERSION"),
        machine: machine(),
        quick: scale.quick,
        goals: (!scale.quick).then(|| goals::judge_retention(&retention)),
        retention,
    })
}

fn machine() -> Machine {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    Machine { os: consts::OS, arch: consts::ARCH, cpus }
}
