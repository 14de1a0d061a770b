//! What a runtime makes known by name, and what is found there.

use finale_core::Definition;
use finale_core::compile::CompileError;

use crate::registered::RegisterError;
use crate::runtime::Runtime;
use crate::workflow::Workflow;

impl Runtime {
    /// Makes a workflow known by its id and version: [`workflow`](Self::workflow) finds it, and definitions that
    /// [`compile`](Self::compile) checks can call it. [`Builder::workflow`](crate::Builder::workflow) does the same before the start.
    ///
    /// Whoever called an earlier version goes on with that. Handlers are not registered by this: they are those that
    /// the runtime was started with. What is registered lives as long as the runtime, and is in no journal.
    ///
    /// # Errors
    /// A workflow with the same id and version and another content is registered; registering the same again changes
    /// nothing.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// runtime.register(&Workflow::builder("ship").task("label", Task::external()).build()?)?;
    ///
    /// // Read from a file, for example.
    /// let definition = Definition::builder("order").call("ship", Call::to("ship", "1.0.0")).build();
    /// runtime.register(&runtime.compile(definition)?)?;
    ///
    /// let order = runtime.workflow("order").expect("it is registered");
    /// let execution = runtime.activate(&order, ()).await?;
    /// execution.complete("ship::label", ()).await?;
    /// assert!(execution.outcome().await?.is_completed());
    /// # Ok(())
    /// # }
    /// ```
    pub fn register<Input, Output>(&self, workflow: &Workflow<Input, Output>) -> Result<(), RegisterError> {
        self.registered().insert(workflow.undeclared())
    }

    /// The workflow with that id; of several versions the one that was registered last.
    pub fn workflow(&self, id: &str) -> Option<Workflow> {
        self.registered().get(id, None)
    }

    /// The workflow with that id and version.
    pub fn workflow_version(&self, id: &str, version: &str) -> Option<Workflow> {
        self.registered().get(id, Some(version))
    }

    /// Checks a definition whose calls find the workflows that are registered, beside those that it brings with it.
    ///
    /// What it calls is kept with it: whatever is registered later, it runs what it was checked with. It is not
    /// registered itself.
    ///
    /// # Errors
    /// All problems of the first phase that has any. A workflow that calls itself, be it through others, is one of them:
    /// `subworkflow_cycle_detected`.
    pub fn compile(&self, definition: Definition) -> Result<Workflow, CompileError> {
        self.registered().compile(definition)
    }
}
