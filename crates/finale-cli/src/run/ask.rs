//! Asking at the terminal what became of a task.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use finale::{EventNumber, NodeStatus, Payload, TaskId};
use finale_core::definition::{Node, NodeKind, Verdict};
use tokio::sync::mpsc;

use super::answers::json_or_text;
use super::signals::awaited_signal;
use crate::console;
use crate::progress::Following;
use crate::text::shortened;

/// An answer that is not understood is repeated up to this width.
const ANSWER_COLUMNS_MAX: usize = 40;

/// Lines that somebody types; they end when nobody is there any more.
pub(crate) type Lines = mpsc::UnboundedReceiver<String>;

/// Reads the lines of the standard input.
pub(crate) fn read_lines() -> Lines {
    let (sender, lines) = mpsc::unbounded_channel();
    // A thread of its own, for which nobody waits: a read from a terminal cannot be called off.
    std::thread::spawn(move || {
        let mut typed = io::stdin().lock().split(b'\n').map_while(Result::ok);
        // Bytes that are no text are an answer that is not understood, not the end of all answers.
        while typed.next().is_some_and(|line| sender.send(String::from_utf8_lossy(&line).into_owned()).is_ok()) {}
    });
    lines
}

/// Something to be asked.
#[derive(Debug)]
pub(crate) struct Question {
    node: String,
    title: String,
    about: About,
}

#[derive(Debug)]
enum About {
    Task {
        id: Option<TaskId>,
        attempt: u16,
        assignee: Option<String>,
    },
    /// What it is judged by, and by whom.
    Verdict {
        rubric: String,
        evaluator: String,
    },
    /// The name of the signal that is waited for, if it is known.
    Signal(Option<String>),
    /// It is held; why its last attempt failed, if that is known.
    Held(String),
}

/// What somebody answered.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// The task is done, with that output.
    Done(Payload),
    /// The task cannot be done, for that reason.
    Fail(String),
    /// The task is not to be done.
    Cancel,
    /// The verification comes to that.
    Verdict(Verdict),
    /// The signal comes, and says that.
    Signal(Payload),
    /// The held task is tried again.
    Retry,
    /// The held task is done, with that output.
    CompleteByHand(Payload),
    /// The held task has failed for good, for that reason.
    FailByHand(String),
    /// The held task is not to be done, and what depends on it goes on.
    Skip,
}

impl Question {
    /// What became of a task? Of one in a workflow that is called its path says more than its id.
    pub(crate) fn task(path: &str, node: &Node, id: Option<TaskId>, attempt: u16, assignee: Option<&str>) -> Self {
        Self::new(path, node, About::Task { id, attempt, assignee: assignee.map(str::to_owned) })
    }

    /// What does a verification come to?
    pub(crate) fn verdict(path: &str, node: &Node) -> Self {
        let (mut rubric, mut evaluator) = (String::new(), String::new());
        if let NodeKind::Verification(verification) = &node.kind {
            rubric.extend(verification.rubric.as_deref());
            evaluator.extend(verification.evaluator.as_deref());
        }
        Self::new(path, node, About::Verdict { rubric, evaluator })
    }

    /// What does the signal say that is waited for?
    pub(crate) fn signal(path: &str, node: &Node) -> Self {
        let name = awaited_signal(&node.kind).filter(|signal| !signal.is_evaluated());
        Self::new(path, node, About::Signal(name.map(|signal| signal.name.clone())))
    }

    /// How does a task go on that is held?
    pub(crate) fn held(path: &str, node: &Node, why: String) -> Self {
        Self::new(path, node, About::Held(why))
    }

    /// The path of the node that is asked about.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    fn new(path: &str, node: &Node, about: About) -> Self {
        let title = match &node.kind {
            NodeKind::Task(task) => task.title.as_ref(),
            _ => None,
        };
        Self { node: path.to_owned(), title: title.unwrap_or(&node.label).clone(), about }
    }

    fn ask(&self) {
        console::hold();
        let Self { node, title, about } = self;
        match about {
            About::Task { id, attempt, assignee } => {
                let whom = assignee.as_ref().map_or_else(String::new, |assignee| format!(", for {assignee}"));
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                console::insist(format_args!("\ntask {title:?} ({node}){whom}{again}"));
                id.iter().for_each(|id| console::insist(format_args!("  {id}")));
            }
            About::Verdict { rubric, evaluator } => {
                let whom = if evaluator.is_empty() { String::new() } else { format!(", for {evaluator}") };
                console::insist(format_args!("\nverification {title:?} ({node}){whom}"));
                if !rubric.is_empty() {
                    console::insist(format_args!("  judged by: {rubric}"));
                }
            }
            About::Signal(Some(name)) => console::insist(format_args!("\nsignal {name:?} for {title:?} ({node})")),
            About::Signal(None) => console::insist(format_args!("\nsignal for {title:?} ({node})")),
            About::Held(why) => {
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                console::insist(format_args!("\ntask {title:?} ({node}) is held{why}"));
            }
        }
        console::insist(format_args!("  {}", self.accepted()));
        console::prompt();
    }

    fn accepted(&self) -> &'static str {
        match self.about {
            About::Task { .. } => "done [OUTPUT], fail REASON or cancel?",
            About::Verdict { .. } => "pass, fail or refer?",
            About::Signal(_) => "send [PAYLOAD]?",
            About::Held(_) => "retry, done [OUTPUT], fail REASON or skip?",
        }
    }

    /// Why a line is no answer, and which answers there are.
    fn not_understood(&self, line: &str) -> String {
        let line = line.trim();
        match line {
            "" => self.accepted().to_owned(),
            "fail" => "`fail` needs a reason: fail REASON".to_owned(),
            _ => {
                let line = shortened(line, ANSWER_COLUMNS_MAX);
                format!("{line:?} is no answer; known are: {}", self.accepted().trim_end_matches('?'))
            }
        }
    }

    fn understand(&self, line: &str) -> Option<Answer> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (&self.about, word, rest.trim()) {
            (About::Task { .. }, "done", "") => Some(Answer::Done(Payload::NULL)),
            (About::Task { .. }, "done", output) => Some(Answer::Done(json_or_text(output))),
            (About::Task { .. }, "fail", "") => None,
            (About::Task { .. }, "fail", reason) => Some(Answer::Fail(reason.to_owned())),
            (About::Task { .. }, "cancel", "") => Some(Answer::Cancel),
            (About::Signal(_), "send", "") => Some(Answer::Signal(Payload::NULL)),
            (About::Signal(_), "send", payload) => Some(Answer::Signal(json_or_text(payload))),
            (About::Held(_), "retry", "") => Some(Answer::Retry),
            (About::Held(_), "done", "") => Some(Answer::CompleteByHand(Payload::NULL)),
            (About::Held(_), "done", output) => Some(Answer::CompleteByHand(json_or_text(output))),
            (About::Held(_), "fail", reason) if !reason.is_empty() => Some(Answer::FailByHand(reason.to_owned())),
            (About::Held(_), "skip", "") => Some(Answer::Skip),
            (About::Verdict { .. }, "pass", "") => Some(Answer::Verdict(Verdict::Pass)),
            (About::Verdict { .. }, "fail", "") => Some(Answer::Verdict(Verdict::Fail)),
            (About::Verdict { .. }, "refer", "") => Some(Answer::Verdict(Verdict::Refer)),
            _ => None,
        }
    }
}

/// What is to be asked, one after the other.
#[derive(Debug)]
pub(crate) struct Questions<'a> {
    open: VecDeque<Question>,
    /// Whether the first one was asked.
    asked: bool,
    lines: Option<&'a mut Lines>,
    /// The progress display of the execution, if there is one.
    following: Option<&'a Following>,
    /// The last event that was processed.
    heard: EventNumber,
}

impl<'a> Questions<'a> {
    /// No questions yet, for those who type these lines.
    pub(crate) fn new(lines: Option<&'a mut Lines>, following: Option<&'a Following>) -> Self {
        let heard = EventNumber::default();
        Self { open: VecDeque::new(), asked: false, lines, following, heard }
    }

    /// Remembers an event that must be displayed before the next question.
    pub(crate) fn heard(&mut self, number: EventNumber) {
        self.heard = number;
    }

    /// Asks that, after all questions before.
    pub(crate) fn add(&mut self, question: Question) {
        // An attempt that is over may still be asked about, if its end was not told before the next one began.
        if let Some(position) = self.open.iter().position(|open| open.node == question.node) {
            self.open.remove(position);
            self.asked &= position > 0;
        }
        self.open.push_back(question);
    }

    /// Drops the question about a node that is settled without an answer.
    pub(crate) fn close(&mut self, node: &str, status: NodeStatus) {
        let position = self.open.iter().position(|question| question.node == node);
        let Some(position) = position.filter(|_| status.is_settled()) else {
            return;
        };
        self.open.remove(position);
        if position == 0 && self.asked {
            self.asked = false;
            console::insist(format_args!("\n{node:?} is {status}: no answer is needed any more"));
            console::answered();
        }
    }

    /// The next line that answers a question; none if there will be no more.
    ///
    /// Asks when it is polled: to be polled when nothing else is known that could make the question pointless.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let (Some(lines), Some(question)) = (&mut self.lines, self.open.front()) else {
            return std::future::pending().await;
        };
        if !self.asked {
            if let Some(following) = self.following {
                following.until_told(self.heard).await;
            }
            self.asked = true;
            question.ask();
        }
        let line = lines.recv().await;
        // Who is gone left the line as it was.
        if line.is_some() {
            console::answered();
        } else {
            console::release();
        }
        line
    }

    /// The question that was asked, and the answer; none if it was not understood.
    pub(crate) fn answered(&mut self, line: &str) -> Option<(Question, Answer)> {
        let question = self.open.front()?;
        let Some(answer) = question.understand(line) else {
            console::insist(format_args!("  {}", question.not_understood(line)));
            console::prompt();
            return None;
        };
        self.asked = false;
        self.open.pop_front().map(|question| (question, answer))
    }

    /// Asks a question again, before all others, because its answer was refused.
    pub(crate) fn ask_again(&mut self, question: Question) {
        // The next attempt may be asked about already.
        if self.open.iter().all(|open| open.node != question.node) {
            self.open.push_front(question);
        }
    }
}

#[cfg(test)]
mod tests {
    use finale::ExecutionId;
    use finale_core::{NodeIndex, WorkKey};

    use super::*;

    fn id() -> TaskId {
        let execution: ExecutionId = "0199b1c2-0000-7000-8000-000000000000".parse().unwrap();
        TaskId { execution, key: WorkKey::root(NodeIndex(1)) }
    }

    fn json(text: &str) -> Payload {
        Payload::from_json(text.as_bytes()).unwrap()
    }

    fn verdict() -> About {
        About::Verdict { rubric: "house style".into(), evaluator: "the editor".into() }
    }

    fn question(about: About) -> Question {
        Question { node: "pick".into(), title: "Pick".into(), about }
    }

    #[test]
    fn a_task_is_done_failed_or_cancelled() {
        let task = question(About::Task { id: Some(id()), attempt: 1, assignee: None });
        assert_eq!(task.understand("done"), Some(Answer::Done(Payload::NULL)));
        assert_eq!(task.understand(" done  {\"boxes\": 2} "), Some(Answer::Done(json("{\"boxes\": 2}"))));
        assert_eq!(task.understand("done two boxes"), Some(Answer::Done(json("\"two boxes\""))));
        assert_eq!(task.understand("fail out of stock"), Some(Answer::Fail("out of stock".into())));
        assert_eq!(task.understand("cancel"), Some(Answer::Cancel));
    }

    #[test]
    fn what_is_held_is_tried_again_settled_or_skipped() {
        let held = question(About::Held("exit 7".into()));
        assert_eq!(held.understand("retry"), Some(Answer::Retry));
        assert_eq!(held.understand("done 3"), Some(Answer::CompleteByHand(json("3"))));
        assert_eq!(held.understand("fail it is broken"), Some(Answer::FailByHand("it is broken".into())));
        assert_eq!(held.understand("skip"), Some(Answer::Skip));
        for line in ["fail", "retry it", "cancel"] {
            assert_eq!(held.understand(line), None, "{line}");
        }
    }

    #[test]
    fn a_verification_is_given_a_verdict() {
        let verification = question(verdict());
        assert_eq!(verification.understand("refer"), Some(Answer::Verdict(Verdict::Refer)));
        assert_eq!(verification.understand("done"), None);
    }

    #[test]
    fn a_signal_is_sent_with_what_it_says() {
        let signal = question(About::Signal(None));
        assert_eq!(signal.understand("send"), Some(Answer::Signal(Payload::NULL)));
        assert_eq!(signal.understand("send {\"euros\": 20}"), Some(Answer::Signal(json("{\"euros\": 20}"))));
        assert_eq!(signal.understand("done"), None);
    }

    #[test]
    fn what_is_no_answer_is_said_with_what_is_one() {
        let task = question(About::Task { id: Some(id()), attempt: 1, assignee: None });
        let known = "\"finished\" is no answer; known are: done [OUTPUT], fail REASON or cancel";
        assert_eq!(task.not_understood(" finished "), known);
        assert_eq!(task.not_understood("fail"), "`fail` needs a reason: fail REASON");
        assert_eq!(question(verdict()).not_understood(""), "pass, fail or refer?");
    }

    #[test]
    fn anything_else_is_not_understood() {
        let task = question(About::Task { id: Some(id()), attempt: 1, assignee: None });
        for line in ["", "fail", "pass", "cancel it", "Done", "donee"] {
            assert_eq!(task.understand(line), None, "{line}");
        }
    }
}
