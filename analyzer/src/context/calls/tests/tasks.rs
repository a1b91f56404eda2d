//! Each task, and each vCPU that has none yet, has calls of its own.

use super::*;

const A: u64 = 1 << 32;
const B: u64 = 2 << 32;

fn on(vcpu: u16, clock: u64, task: u64) -> Event<'static> {
    Event { vcpu, task, ..at(clock, S + 800, &[]) }
}

fn enter(calls: &mut Calls<()>, event: &Event<'_>, function: u16) {
    calls.advance(event);
    calls.settle(event, function, 0xa, &mut Vec::new());
    calls.enter(event, function, 0xa, false, ());
}

fn leave(calls: &mut Calls<()>, event: &Event<'_>, function: u16) -> (u64, u64) {
    let mut left = Vec::new();
    calls.advance(event);
    calls.leave(event, function, &mut left);
    let [call] = &left[..] else { panic!("{left:?}") };
    (call.frame.number, call.frame.own)
}

fn functions(frames: &[CallFrame<()>]) -> Vec<u16> {
    frames.iter().map(|frame| frame.function).collect()
}

// clock 0    10        30        60    70
// A     ( 1  switch              B: switch back, exit
// B               ( 2       )
#[test]
fn the_time_from_a_switch_on_is_the_next_tasks() {
    let mut calls = Calls::default();
    enter(&mut calls, &on(0, 0, A), 1);
    let away = on(0, 10, A);
    assert_eq!(calls.advance(&away), Some((1, 0)));
    calls.switch(&away, B);
    assert_eq!(calls.advance(&on(0, 15, B)), None, "nothing of B is open");
    enter(&mut calls, &on(0, 20, B), 2);
    assert_eq!((functions(calls.all()), functions(calls.of_task(A))), (vec![2], vec![1]));
    let back = on(0, 60, B);
    assert_eq!(calls.advance(&back), Some((2, 20)));
    calls.switch(&back, A);
    assert_eq!(leave(&mut calls, &on(0, 70, A), 1), (1, 20), "10 before, 10 after");
    assert_eq!(functions(calls.of_task(B)), [2]);
}

// The switch itself may not be probed: an event of another task says it as well, and the time before is the first's.
#[test]
fn an_event_of_another_task_is_a_switch_too() {
    let mut calls = Calls::default();
    enter(&mut calls, &on(0, 0, A), 1);
    enter(&mut calls, &on(0, 10, B), 2);
    assert_eq!(leave(&mut calls, &on(0, 25, B), 2), (2, 15));
    assert_eq!(leave(&mut calls, &on(0, 40, A), 1), (1, 10), "until B was seen");
}

#[test]
fn each_vcpu_has_a_clock_of_its_own() {
    let mut calls = Calls::default();
    enter(&mut calls, &on(0, 100, A), 1);
    enter(&mut calls, &on(2, 1000, B), 2);
    assert_eq!(calls.advance(&on(0, 130, A)), Some((1, 100)));
    assert_eq!(calls.advance(&on(2, 1010, B)), Some((2, 1000)));
    assert_eq!(calls.advance(&on(1, 7, A)), None, "vCPU 1 has executed nothing yet");
    assert_eq!(leave(&mut calls, &on(0, 150, A), 1), (1, 50));
    assert_eq!(leave(&mut calls, &on(2, 1011, B), 2), (2, 11));
}

#[test]
fn what_executes_nothing_or_goes_back_in_time_costs_nothing() {
    let mut calls = Calls::default();
    enter(&mut calls, &on(0, 100, A), 1);
    assert_eq!(calls.advance(&on(0, 100, A)), None);
    assert_eq!(calls.advance(&on(0, 90, A)), None);
    assert_eq!(leave(&mut calls, &on(0, 95, A), 1), (1, 5), "from 90 on");
}

// Early in the boot no task is known.
#[test]
fn without_a_task_each_vcpu_is_one() {
    let mut calls = Calls::default();
    enter(&mut calls, &on(0, 0, 0), 1);
    enter(&mut calls, &on(1, 0, 0), 2);
    assert_eq!(functions(calls.all()), [2]);
    calls.advance(&on(0, 10, 0));
    assert_eq!(functions(calls.all()), [1]);
    assert_eq!((functions(calls.of_task(0)), functions(calls.of_task(1))), (vec![1], vec![2]));
}

// A switch on a vCPU that has not been heard of.
#[test]
fn a_switch_on_an_unknown_vcpu_concerns_no_other() {
    let mut calls = Calls::default();
    enter(&mut calls, &on(0, 0, A), 1);
    calls.switch(&on(5, 3, A), B);
    assert_eq!(calls.advance(&on(0, 10, A)), Some((1, 0)));
    assert_eq!(functions(calls.all()), [1]);
}

#[test]
fn what_a_dead_task_left_open_is_forgotten_and_no_other_tasks() {
    let mut calls = Calls::default();
    enter(&mut calls, &on(0, 0, A), 1);
    enter(&mut calls, &on(0, 10, B), 2);
    calls.forget(A);
    calls.forget(3 << 32);
    assert_eq!((functions(calls.of_task(A)), functions(calls.of_task(B))), (vec![], vec![2]));
    assert_eq!(calls.of_task(3 << 32), []);
    enter(&mut calls, &on(0, 20, A), 3);
    assert_eq!(functions(calls.all()), [3]);
}
