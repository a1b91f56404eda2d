//! What an index tells of guests drawn by hand.

use super::*;
use crate::analysis::path::path;
use crate::analysis::subject::Wanted;
use crate::analysis::timeline::timeline;
use crate::analysis::why::why;
use crate::reader::Trace;
use crate::session::{IndexMessage, IndexUse, Session, SessionOptions};
use iotrace_format::event;
use iotrace_synthetic_guest::{
    KWORKER, SyntheticGuest, TASK, WRITE, buffered, changed_write, direct_write, io, reused, small,
};
use std::path::Path;

#[test]
fn a_bio_is_found_with_its_ios_and_requests() {
    let session = Session::from_bytes(buffered().file()).unwrap();
    let located = session.locate(&Wanted::Bio(2), &mut |_| {}).unwrap().unwrap();
    let of_bio = Located { ios: [5].into(), bios: [2].into(), requests: [2].into(), ..Located::default() };
    let of_bio = Located { window: (700, 771), ..of_bio };
    assert_eq!(located, of_bio);
}

/// Everything that an index helps to answer.
fn answers(session: &Session) -> Vec<String> {
    let mut all = Vec::new();
    for number in 1..12 {
        for wanted in
            [Wanted::Io(number), Wanted::Bio(number), Wanted::Syscall("write".into(), number as usize)]
        {
            all.push(format!("{wanted}: {:?}", path(session, &wanted, &mut |_| {}).unwrap()));
            all.push(format!("{wanted}: {:?}", why(session, &wanted, &mut |_| {})));
        }
        all.push(format!("{number}: {:?}", timeline(session, number, &mut |_| {}).unwrap()));
    }
    all.push(format!("{:?}", session.slowest(&mut |_| {}).unwrap()));
    all
}

/// A trace in a folder of its own.
fn stored(guest: &SyntheticGuest) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.iot");
    std::fs::write(&path, guest.file_in_blocks(5)).unwrap();
    (folder, path)
}

fn open(path: &Path, index: IndexUse) -> Session {
    Session::open(path, SessionOptions { threads: Some(2), index, ..SessionOptions::default() }).unwrap()
}

#[test]
fn answers_are_the_same_from_a_checkpoint_as_from_the_beginning() {
    for guest in [direct_write(), changed_write(), buffered(), small(), reused()] {
        let (_folder, path) = stored(&guest);
        let whole = open(&path, IndexUse::WithoutCheckpoints);
        let expected = answers(&whole);
        for index in [IndexUse::Temporary, IndexUse::Beside, IndexUse::Beside] {
            let session = open(&path, index);
            assert_eq!(answers(&session), expected);
            assert_eq!(session.take_messages(), []);
            assert!(session.was_read().blocks < whole.was_read().blocks);
        }
        assert!(index_path(&path).exists());
    }
}

/// A view forgets the name of a task when another one is made at its address; so it does if it begins behind that.
#[test]
fn names_of_tasks_are_those_of_the_whole_behind_a_checkpoint() {
    let mut guest = direct_write();
    let at = guest.events.iter().position(|event| event.clock >= 1000).unwrap();
    let rest = guest.events.split_off(at);
    guest.entry(900, "task.new", &[("task", TASK)]);
    // So many that there is a checkpoint between.
    (910..920).for_each(|clock| guest.entry(clock, "hw.run", &[("hw", 1)]));
    guest.events.extend(rest);
    let (_folder, path) = stored(&guest);
    let expected = answers(&open(&path, IndexUse::WithoutCheckpoints));
    assert_eq!(answers(&open(&path, IndexUse::Temporary)), expected);
}

#[test]
fn a_question_reads_the_blocks_of_its_io_and_one_more() {
    let (_folder, path) = stored(&buffered());
    open(&path, IndexUse::Beside).build_index(&mut |_| {}).unwrap();
    let session = open(&path, IndexUse::Beside);
    // The fourth I/O, from 700 to 771.
    crate::analysis::path::path(&session, &Wanted::Io(4), &mut |_| {}).unwrap().unwrap();
    let of_io = |block: &iotrace_format::trace::index::IndexEntry| {
        block.last_clock >= 700 && block.first_clock <= 771
    };
    let blocks = session.index().unwrap().events().filter(of_io).count() as u64;
    let landmarks = session.index().unwrap().totals().landmark_chunks;
    assert!(session.was_read().blocks <= blocks + 1 + landmarks, "{:?}, {blocks}", session.was_read());
}

// fsync #1    write #2 into the page cache    fsync #3 queues its bio, which ends; fsync does not return
// 150         200                             300                        then 2,000 events of another task
#[test]
fn a_question_does_not_wait_for_another_call_that_does_not_return() {
    let page = io(80, 4096, WRITE);
    let mut guest = SyntheticGuest::default();
    guest.stack = 0xffff_c900_0009_3f00;
    guest.name_task(2, KWORKER, 26, "kworker/0:1");
    guest.mark(100, event::MARK_BEGIN);
    guest.entry(150, "sys.fsync", &[("regs.fd", 3)]);
    guest.exit(160, "sys.fsync", 0);
    guest.write(200, 0, 59);
    guest.entry(300, "sys.fsync", &[("regs.fd", 3)]);
    guest.deeper(8, |guest| {
        guest.queue_page(310, 0xb1, page, 0);
        guest.enter(311, 0xb1, page);
        guest.get(320, 0xa000);
        guest.leave(321);
        guest.serve(330, 0xa000, 0xb1, page);
    });
    guest.switch(400, KWORKER);
    (0..2000).for_each(|at| guest.entry(500 + at, "hw.run", &[("hw", 1)]));
    let (_folder, path) = stored(&guest);
    open(&path, IndexUse::Beside).build_index(&mut |_| {}).unwrap();
    let session = open(&path, IndexUse::Beside);
    let found = crate::analysis::path::path(&session, &Wanted::Io(2), &mut |_| {}).unwrap().unwrap();
    assert_eq!((found.subject.bios.len(), found.subject.unreturned), (1, [300].into()));
    assert!(session.was_read().blocks < 40, "{:?}", session.was_read());
}

#[test]
fn an_index_that_does_not_fit_is_made_again() {
    let (_folder, path) = stored(&buffered());
    let asked = |session: &Session| {
        let path =
            |wanted| format!("{:?}", crate::analysis::path::path(session, &wanted, &mut |_| {}).unwrap());
        [Wanted::Io(1), Wanted::Bio(2), Wanted::Syscall("write".into(), 4)].map(path)
    };
    let expected = asked(&open(&path, IndexUse::Temporary));
    let index = index_path(&path);
    open(&path, IndexUse::Beside).build_index(&mut |_| {}).unwrap();
    let sound = std::fs::read(&index).unwrap();
    let mut said = std::collections::BTreeSet::new();
    for at in (0..sound.len()).step_by(3) {
        let mut changed = sound.clone();
        changed[at] ^= 1;
        std::fs::write(&index, changed).unwrap();
        let session = open(&path, IndexUse::Beside);
        assert!(asked(&session) == expected, "byte {at}");
        said.extend(
            session.take_messages().iter().map(|message| message.to_string().contains("it is rebuilt")),
        );
    }
    assert_eq!(said, [true].into());
    for length in [0, 8, sound.len() / 2, sound.len() - 1] {
        std::fs::write(&index, &sound[..length]).unwrap();
        assert!(asked(&open(&path, IndexUse::Beside)) == expected, "{length} bytes");
    }
    // That of another trace.
    std::fs::write(&index, &sound).unwrap();
    std::fs::write(&path, direct_write().file_in_blocks(5)).unwrap();
    let session = open(&path, IndexUse::Beside);
    assert!(crate::analysis::path::path(&session, &Wanted::Io(1), &mut |_| {}).unwrap().is_some());
    let messages = session.take_messages();
    assert!(matches!(&messages[0], IndexMessage::Rebuilt(text) if text.contains("that of another trace")));
}

#[test]
fn where_no_index_can_be_kept_there_is_a_message() {
    let (_folder, path) = stored(&buffered());
    std::fs::create_dir(index_path(&path)).unwrap();
    let session = open(&path, IndexUse::Beside);
    assert_eq!(answers(&session), answers(&Session::of(Trace::open(&path, Some(1)).unwrap())));
    let messages = session.take_messages();
    assert!(messages.iter().any(|message| matches!(message, IndexMessage::NotKept(_))), "{messages:?}");
}
