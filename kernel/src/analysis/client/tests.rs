//! The client's side of the conversation, with messages as a server sends them.

use super::*;
use serde_json::json;
use std::io::BufReader;
use std::sync::{Arc, Mutex, mpsc::channel};

/// What the client has written and answered so far.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(Vec<u8>, Vec<Answer>)>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The methods it has called and the answers it has given when these events have passed.
fn after(events: Vec<Event>) -> (Vec<String>, Vec<(u64, bool)>) {
    let (methods, answers) = heard_after(events);
    (methods, answers.iter().map(|answer| (answer.number, answer.is_loaded)).collect())
}

fn heard_after(events: Vec<Event>) -> (Vec<String>, Vec<Answer>) {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(place.path().join("cells/src")).unwrap();
    std::fs::write(place.path().join("dependency"), "").unwrap();
    let heard = Heard::default();
    let answers = heard.clone();
    let answer = move |answer| answers.0.lock().unwrap().1.push(answer);
    let folder = AnalyserFolder::new(place.path().to_owned());
    let client = Client::new(folder, heard.clone(), answer).unwrap();
    let (sender, received) = channel();
    events.into_iter().for_each(|event| sender.send(event).unwrap());
    drop(sender);
    client.run(&received).unwrap();
    let heard = heard.0.lock().unwrap();
    let mut written = BufReader::new(heard.0.as_slice());
    let mut methods = Vec::new();
    while let Some(message) = Message::read(&mut written).unwrap() {
        methods.push(match message {
            Message::Request(request) => request.method,
            Message::Notification(notification) => notification.method,
            Message::Response(_) => "(an answer)".to_owned(),
        });
    }
    (methods, heard.1.clone())
}

fn question(number: u64, kind: QuestionKind) -> Event {
    let (source, warm) = ("fn f() { a. }".to_owned(), vec![11]);
    Event::Question(Question { number, kind, source, warm, position: 11, ..Question::default() })
}

fn response(id: i32) -> Event {
    Event::Message(Response::new_ok(RequestId::from(id), Value::Null).into())
}

fn status(quiescent: bool, health: &str) -> Event {
    let parameters = json!({ "quiescent": quiescent, "health": health, "message": null });
    Event::Message(Notification::new(ServerStatus::METHOD.to_owned(), parameters).into())
}

const OPENED: [&str; 3] = ["initialize", "initialized", "textDocument/didOpen"];
const LOAD: QuestionKind = QuestionKind::Load;

#[test]
fn it_is_loaded_once_the_package_is_read_and_looked_at() {
    let events =
        vec![question(1, LOAD), response(1), status(false, "ok"), status(true, "ok"), response(2)];
    let (methods, answers) = after(events);
    assert_eq!(methods[..3], OPENED);
    assert_eq!(methods[3..], ["textDocument/didChange", "textDocument/completion"]);
    assert_eq!(answers, [(1, true)]);
}

/// The server's items at the only position of a question to load, and what is answered.
fn loaded_with(items: Value) -> Answer {
    let (source, warm) = ("fn f() { \"\". }".to_owned(), vec![12]);
    let question = Question { number: 1, source, warm, sure: Some(0), ..Question::default() };
    let found = Response::new_ok(RequestId::from(2), items);
    let events = vec![
        Event::Question(question),
        response(1),
        status(true, "ok"),
        Event::Message(found.into()),
    ];
    let (_, answers) = heard_after(events);
    let [answer] = answers.try_into().unwrap();
    answer
}

#[test]
fn a_server_that_knows_no_method_of_a_text_is_blind() {
    let items = |kind| json!({ "isIncomplete": true, "items": [{ "label": "len", "kind": kind }] });
    let (method, keyword) = (items(2), items(14));
    for (found, is_blind) in [(method, false), (keyword, true), (Value::Null, true)] {
        let answer = loaded_with(found);
        assert_eq!((answer.is_partial, answer.is_loaded), (is_blind, !is_blind));
    }
}

#[test]
fn a_package_that_cannot_be_read_is_not_loaded() {
    let events = vec![question(1, LOAD), response(1), status(true, "error")];
    assert_eq!(after(events).1, [(1, false)]);
}

#[test]
fn other_dependencies_that_come_while_it_reads_are_read_as_well() {
    let events = vec![
        question(1, LOAD),
        response(1),
        question(2, LOAD),
        status(true, "ok"),
        status(false, "ok"),
        status(true, "ok"),
        response(3),
    ];
    let (methods, answers) = after(events);
    assert_eq!(methods[3], "rust-analyzer/reloadWorkspace");
    assert_eq!(answers, [(1, false), (2, true)]);
}

#[test]
fn every_question_is_answered_once() {
    let complete = QuestionKind::Complete;
    let events = vec![
        question(1, complete),
        question(2, LOAD),
        response(1),
        status(true, "ok"),
        question(3, complete),
        // The server gives up what a newer text made pointless.
        Event::Message(Response::new_err(RequestId::from(2), -32801, String::new()).into()),
        response(3),
        question(4, QuestionKind::Describe),
        response(4),
        response(4),
    ];
    assert_eq!(after(events).1, [(1, false), (2, true), (3, false), (4, false)]);
}

#[test]
fn requests_of_the_server_are_answered() {
    let request = Request::new(RequestId::from(7), "client/registerCapability".into(), json!({}));
    let events = vec![question(1, LOAD), Event::Message(request.into())];
    assert_eq!(after(events).0, ["initialize", "(an answer)"]);
}
