//! The state of the application that handlers are given.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// The runtime's builder was given no state of this type; see [`Builder::data`](crate::Builder::data).
///
/// ```
/// # use finale::prelude::*;
/// async fn count(context: TaskContext) -> Result<u64, TaskError> {
///     Ok(*context.data::<u64>()?)
/// }
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).handler("count", count).start()?;
/// # let work = Workflow::builder("work").task("count", "count").build()?;
/// # let outcome = runtime.activate(&work, ()).await?.outcome().await?;
/// let error = outcome.error().map(ToString::to_string).unwrap_or_default();
/// assert!(error.contains("the handler asks for data that the runtime was not given"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler asks for data that the runtime was not given: Runtime::builder().data(..) takes it")]
pub struct MissingData(&'static str);

impl MissingData {
    /// The type that was asked for, as this compiler writes it. It is not part of the text of the error, which may become
    /// the reason of a failure and be kept in a journal: other compilers write it otherwise.
    pub fn type_name(&self) -> &'static str {
        self.0
    }
}

/// The application's state, by type; a clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Data(Arc<FxHashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Data {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(super) fn get<T: Send + Sync + 'static>(&self) -> Result<&T, MissingData> {
        let value = self.0.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref());
        value.ok_or(MissingData(std::any::type_name::<T>()))
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} types)", self.0.len())
    }
}
