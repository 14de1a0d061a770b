//! Handlers are told of each end, at least once.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A shard with that many handlers, and the search for what an earlier runtime left, which has found nothing.
fn scene(handlers: u16) -> Scene {
    let mut scene = Scene::unstarted(|options| options.ended_handlers = handlers);
    let out = scene.recover(Vec::new());
    scene.found(&out, Vec::new());
    scene
}

/// The one page that is to be read of ends that are to be told, and after which execution.
fn page(out: &Outbox) -> (ReadNo, Option<ExecutionId>) {
    let [Read { number, what: ReadWhat::Untold { after, limit: 256 } }] = out.reads[..] else { panic!("{out:?}") };
    (number, after)
}

/// The executions whose ends are to be told now.
fn told(out: &Outbox) -> Vec<ExecutionId> {
    out.ends.iter().map(|end| end.execution).collect()
}

/// What is written of ends that were told.
fn written(out: &Outbox) -> (WriteNo, Vec<ExecutionId>) {
    let [Write { number: Some(number), what: WriteWhat::Told(executions) }] = &out.writes[..] else {
        panic!("{out:?}")
    };
    (*number, executions.to_vec())
}

impl Scene {
    fn found(&mut self, out: &Outbox, untold: Vec<ExecutionId>) -> Outbox {
        let (read, _) = page(out);
        self.tell(Input::UntoldFound { read, untold: Ok(untold) })
    }

    /// An execution that has ended, and what comes of that.
    fn ended(&mut self) -> (ExecutionId, Outbox) {
        let (_, begin) = self.begin();
        (begin.execution, self.end(&begin))
    }

    fn took(&mut self, execution: ExecutionId) -> Outbox {
        self.tell(Input::EndTold(EndTold { execution, told: Ok(()) }))
    }

    fn failed(&mut self, execution: ExecutionId, handlers: Vec<u16>) -> Outbox {
        let told = Err(NotTold::Failed { handlers, reason: "not now".into() });
        self.tell(Input::EndTold(EndTold { execution, told }))
    }
}

#[test]
fn an_end_is_told_and_noted_when_all_have_taken_it() {
    let mut scene = scene(2);
    let (_, begin) = scene.begin();
    let business_key = Some("order 7".into());
    let end = Ended { business_key, ..ended(begin.slot, scene.now) };
    let out = scene.tell(Input::Ended(end));
    let [TellEnd { execution, end: Some(end), handlers, within }] = &out.ends[..] else { panic!("{out:?}") };
    assert_eq!((*execution, &handlers[..], *within), (begin.execution, &[0, 1][..], 60 * SECOND));
    assert_eq!((end.definition, end.business_key.as_deref()), (DefinitionNo(5), Some("order 7")));
    assert_eq!(end.outcome, outcome(scene.now));
    assert!(out.writes.is_empty(), "nobody has taken it yet");

    let out = scene.took(begin.execution);
    let (number, executions) = written(&out);
    assert_eq!(executions, [begin.execution]);
    let out = scene.tell(Input::Written(number));
    assert!(out.is_empty() && scene.supervisor.wake_at().is_none(), "{out:?}");
    assert!(scene.supervisor.telling.known().next().is_none(), "nothing is kept of it");
    assert!(scene.took(begin.execution).is_empty(), "a second answer changes nothing");
}

#[test]
fn it_is_looked_for_what_is_one_too_many_when_an_end_was_told_late() {
    let interval = 10 * SECOND;
    for (keep, looks) in [
        (Keep { age: None, count: Some(1) }, true),
        // Of these the journal has said when the next one is too old, whether it was told of or not.
        (Keep { age: Some(SECOND), count: None }, false),
        (Keep::default(), false),
    ] {
        let mut scene = Scene::unstarted(|options| (options.ended_handlers, options.retention.completed) = (1, keep));
        for Read { number, what } in scene.recover(Vec::new()).reads {
            scene.tell(match what {
                ReadWhat::Untold { .. } => Input::UntoldFound { read: number, untold: Ok(Vec::new()) },
                _ => Input::Expired { read: number, expired: Ok(Expired { executions: Vec::new(), next: None }) },
            });
        }
        let (execution, _) = scene.ended();
        // It is looked once more after the end, when nobody has taken it.
        if let [Read { number, .. }] = scene.wake_after(interval).reads[..] {
            scene.tell(Input::Expired { read: number, expired: Ok(Expired { executions: Vec::new(), next: None }) });
        }
        assert_eq!(scene.supervisor.wake_at(), None);
        let (number, _) = written(&scene.took(execution));
        scene.tell(Input::Written(number));
        assert_eq!(scene.supervisor.wake_at(), looks.then(|| scene.now.after(interval)), "{keep:?}");
        assert_eq!(scene.wake_after(interval).reads.len(), usize::from(looks));
    }
}

#[test]
fn where_nobody_is_told_nothing_is_read_written_or_kept() {
    let mut scene = Scene::unstarted(|_| {});
    assert!(scene.recover(Vec::new()).is_empty());
    let (_, out) = scene.ended();
    assert!(out.ends.is_empty() && out.reads.is_empty() && out.writes.is_empty(), "{out:?}");
    assert!(scene.supervisor.telling.known().next().is_none());
}

#[test]
fn those_that_have_failed_are_told_again_later_and_later() {
    let mut scene = scene(3);
    let (execution, _) = scene.ended();
    let mut handlers = vec![0, 2];
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let out = scene.failed(execution, handlers.clone());
        assert_eq!(out.notices, [Notice::EndNotTold(execution, "not now".into())]);
        assert!(out.writes.is_empty() && out.ends.is_empty(), "{out:?}");
        assert_eq!(scene.supervisor.wake_at(), Some(scene.now.after(seconds * SECOND)));
        let out = scene.wake_after(seconds * SECOND);
        let [TellEnd { end: None, handlers: again, .. }] = &out.ends[..] else { panic!("{out:?}") };
        assert_eq!(*again, handlers, "who has taken it is not told again");
        handlers = vec![2];
    }
    assert_eq!(written(&scene.took(execution)).1, [execution]);
}

#[test]
fn one_that_fails_holds_up_no_other() {
    let mut scene = scene(1);
    let (failing, _) = scene.ended();
    scene.failed(failing, vec![0]);
    let (other, out) = scene.ended();
    assert_eq!(told(&out), [other]);
    assert_eq!(written(&scene.took(other)).1, [other]);
}

#[test]
fn a_bounded_number_is_told_at_once_and_half_of_them_again() {
    let mut scene = scene(1);
    let all: Vec<_> = (0..40).map(|_| scene.ended()).collect();
    let begun: Vec<_> = all.iter().flat_map(|(_, out)| told(out)).collect();
    assert_eq!(begun, all[..16].iter().map(|(execution, _)| *execution).collect::<Vec<_>>());
    assert_eq!(told(&scene.failed(begun[0], vec![0])), [all[16].0], "in the order of their ends");
    for execution in &begun[1..12] {
        scene.failed(*execution, vec![0]);
    }
    // All others are at work, and 12 have failed.
    scene.advance(SECOND);
    let out = scene.tell(Input::Wake);
    assert_eq!(told(&out), [], "there is no room");
    assert_eq!(scene.supervisor.wake_at(), None, "room is made by an answer");
    let running = [&begun[12..], &all[16..28].iter().map(|(execution, _)| *execution).collect::<Vec<_>>()].concat();
    let mut again = Vec::new();
    for execution in running {
        again.extend(told(&scene.took(execution)));
    }
    let retried = again.iter().filter(|execution| begun.contains(execution)).count();
    assert_eq!((again.len(), retried), (16, 8), "room is left for those that were not told yet");
}

#[test]
fn what_was_told_meanwhile_is_written_together() {
    let mut scene = scene(1);
    let ended: Vec<_> = (0..4).map(|_| scene.ended().0).collect();
    let (number, first) = written(&scene.took(ended[0]));
    assert_eq!(first, ended[..1]);
    for execution in &ended[1..] {
        assert!(scene.took(*execution).writes.is_empty());
    }
    assert_eq!(written(&scene.tell(Input::Written(number))).1, ended[1..]);
}

#[test]
fn what_an_earlier_runtime_left_is_found_page_by_page() {
    let mut scene = Scene::unstarted(|options| options.ended_handlers = 1);
    let mut out = scene.recover(Vec::new());
    let left: Vec<_> = (0..2_000).map(|_| scene.id()).collect();
    let (mut pages, mut all) = (left.chunks(256), Vec::new());
    let mut after = None;
    for _ in 0..4 {
        assert_eq!(page(&out).1, after);
        let found = pages.next().unwrap();
        after = found.last().copied();
        out = scene.found(&out, found.to_vec());
        assert!(out.ends.iter().all(|end| end.end.is_none()), "they are read when they are told");
        all.extend(told(&out));
    }
    assert_eq!(all, left[..16]);
    // The next page waits until there is room for it in memory.
    while all.len() < left.len() {
        let Some((next, _)) = scene.supervisor.telling.known().find(|(_, is_running)| *is_running) else { panic!() };
        let mut out = scene.took(next);
        if let [Write { number: Some(number), .. }] = out.writes[..] {
            let written = scene.tell(Input::Written(number));
            out.ends.extend(written.ends);
            out.reads.extend(written.reads);
        }
        while !out.reads.is_empty() {
            assert_eq!(page(&out).1, after);
            let found = pages.next().unwrap_or_default();
            after = found.last().copied().or(after);
            let found = scene.found(&out, found.to_vec());
            out.ends.extend(found.ends);
            out.reads = found.reads;
        }
        all.extend(told(&out));
    }
    assert_eq!(all, left, "each once");
}

#[test]
fn ends_for_which_there_is_no_room_are_found_in_the_journal() {
    let mut scene = scene(1);
    let ended: Vec<_> = (0..1_050).map(|_| scene.ended().0).collect();
    assert_eq!(scene.supervisor.telling.known().len(), 1_040, "16 are told, and 1,024 wait");
    let mut all = ended[..16].to_vec();
    let mut told_here = 0;
    while told_here < all.len() {
        let mut out = scene.took(all[told_here]);
        told_here += 1;
        if let [Write { number: Some(number), .. }] = out.writes[..] {
            let written = scene.tell(Input::Written(number));
            out.ends.extend(written.ends);
            out.reads.extend(written.reads);
        }
        while !out.reads.is_empty() {
            let (_, after) = page(&out);
            // What is told and what waits has its marks as well.
            let untold = ended[told_here..].iter().copied().filter(|id| Some(*id) > after).take(256).collect();
            let found = scene.found(&out, untold);
            out.ends.extend(found.ends);
            out.reads = found.reads;
        }
        all.extend(told(&out));
    }
    assert_eq!(all, ended, "each once");
}

#[test]
fn the_shards_share_what_is_found() {
    let mut scene = Scene::unstarted(|options| (options.ended_handlers, options.shards) = (1, 2));
    let out = scene.recover(Vec::new());
    let mut others = IdGenerator::new(ShardNo(1), 2, 5);
    let (own, other) = (scene.id(), others.next(scene.now));
    assert_eq!(told(&scene.found(&out, vec![own, other])), [own]);
}

#[test]
fn a_page_that_was_read_before_tells_nothing_again() {
    let mut scene = Scene::unstarted(|options| options.ended_handlers = 1);
    let search = scene.recover(Vec::new());
    let (execution, _) = scene.ended();
    let (number, _) = written(&scene.took(execution));
    scene.tell(Input::Written(number));
    assert!(scene.found(&search, vec![execution]).is_empty());
    assert!(scene.supervisor.telling.known().next().is_none());
}

#[test]
fn a_search_that_fails_is_made_again() {
    let mut scene = Scene::unstarted(|options| options.ended_handlers = 1);
    let (read, _) = page(&scene.recover(Vec::new()));
    let out = scene.tell(Input::UntoldFound { read, untold: Err("the disk".into()) });
    assert_eq!(out.notices, [Notice::UntoldNotFound("the disk".into())]);
    assert_eq!(scene.supervisor.wake_at(), Some(scene.now.after(10 * SECOND)));
    assert_eq!(page(&scene.wake_after(10 * SECOND)).1, None);
}

#[test]
fn a_forgotten_end_is_not_told_and_its_mark_goes() {
    let mut scene = scene(1);
    let (execution, _) = scene.ended();
    let out = scene.tell(Input::EndTold(EndTold { execution, told: Err(NotTold::Forgotten) }));
    assert_eq!(written(&out).1, [execution]);
}

#[test]
fn one_that_was_written_off_is_told() {
    let mut scene = Scene::unstarted(|options| options.ended_handlers = 1);
    let execution = scene.id();
    let out = scene.recover(vec![Found { execution, quarantine: None }]);
    let [search, history] = [1, 0].map(|index| out.reads[index].clone());
    assert!(matches!(search.what, ReadWhat::History(_)) != matches!(history.what, ReadWhat::History(_)));
    let (search, history) =
        if matches!(search.what, ReadWhat::History(_)) { (history, search) } else { (search, history) };
    scene.tell(Input::UntoldFound { read: search.number, untold: Ok(Vec::new()) });
    scene.restored(&history, Err("it has rotted".into()));
    let fail = Command::Fail { by: "somebody".into(), reason: "lost".into() };
    let message = Message { request: Some(scene.request()), body: Body::Input(execution::Input::Command(fail)) };
    let out = scene.ask(execution, message);
    let [Write { number: Some(number), what: WriteWhat::WriteOff { to_tell: true, .. } }] = out.writes[..] else {
        panic!("{out:?}")
    };
    let out = scene.tell(Input::Written(number));
    let [TellEnd { end: None, .. }] = out.ends[..] else { panic!("{out:?}") };
    assert_eq!(told(&out), [execution]);
}

#[test]
fn a_shutdown_waits_for_handlers_and_tells_no_more() {
    let mut scene = scene(1);
    let ended: Vec<_> = (0..20).map(|_| scene.ended().0).collect();
    let (_, late) = scene.begin();
    scene.tell(Input::Close);
    let request = scene.request();
    let out = scene.tell(Input::Leave { request, patience: 5 * SECOND });
    assert_eq!(out.left, None);
    scene.end(&late);
    for execution in &ended[..15] {
        let out = scene.took(*execution);
        assert_eq!((told(&out), out.left), (vec![], None), "who is left is told by the next runtime");
    }
    let out = scene.failed(ended[15], vec![0]);
    assert_eq!(out.left, None, "it must be durable that the others were told");
    let out = scene.tell(Input::Written(WriteNo(1)));
    assert_eq!((written(&out).1.len(), out.left), (14, None));
    let out = scene.tell(Input::Written(WriteNo(2)));
    assert_eq!(out.left, Some(Left { unfinished: 0, in_order: true }));
    assert!(scene.wake_after(100 * SECOND).is_empty());
}

#[test]
fn a_handler_that_hangs_is_waited_for_until_the_deadline() {
    let mut scene = scene(1);
    scene.ended();
    let request = scene.request();
    assert_eq!(scene.tell(Input::Leave { request, patience: 5 * SECOND }).left, None);
    let out = scene.wake_after(5 * SECOND);
    assert_eq!(out.left, Some(Left { unfinished: 0, in_order: true }));
}

#[test]
fn nothing_is_told_any_more_when_the_journal_has_failed() {
    let mut scene = scene(1);
    let ended: Vec<_> = (0..17).map(|_| scene.ended().0).collect();
    scene.tell(Input::JournalFailed);
    let out = scene.took(ended[0]);
    assert!(out.ends.is_empty() && out.writes.is_empty(), "{out:?}");
    scene.failed(ended[1], vec![0]);
    assert_eq!(scene.supervisor.tell_at(), None);
}

#[test]
fn a_supervisor_that_panicked_searches_again_and_tells_nothing_twice() {
    let mut scene = scene(1);
    let (running, _) = scene.ended();
    let (failing, _) = scene.ended();
    scene.failed(failing, vec![0]);
    let lost = scene.id();
    let supervisor = std::mem::replace(&mut scene.supervisor, Supervisor::new(options()));
    scene.supervisor = supervisor.rebuild(scene.now, &mut scene.out);
    let out = std::mem::take(&mut scene.out);
    assert_eq!(told(&out), []);
    assert_eq!(told(&scene.found(&out, vec![running, failing, lost])), [lost], "the others are known");
    assert_eq!(told(&scene.wake_after(SECOND)), [failing]);
}

#[test]
fn the_definition_of_an_end_that_waits_is_in_use() {
    let mut scene = scene(1);
    let ended: Vec<_> = (0..17).map(|_| scene.ended().0).collect();
    assert_eq!(scene.supervisor.definitions_in_use(), [DefinitionNo(5)].into());
    assert_eq!(told(&scene.took(ended[0])), [ended[16]]);
    assert_eq!(scene.supervisor.definitions_in_use(), [].into(), "it was handed over with the end");
}

#[test]
fn retention_keeps_what_is_to_be_told_where_somebody_is_told() {
    for handlers in [0, 1] {
        let mut scene = Scene::unstarted(|options| {
            options.ended_handlers = handlers;
            options.retention.completed = Keep { age: Some(SECOND), count: None };
        });
        let out = scene.recover(Vec::new());
        let keeps = out.reads.iter().find_map(|read| match read.what {
            ReadWhat::Expired { keeps_untold, .. } => Some(keeps_untold),
            _ => None,
        });
        assert_eq!(keeps, Some(handlers > 0));
    }
}
