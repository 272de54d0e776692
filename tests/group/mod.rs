//! Processes that are threads of one, and meet wherever all of them have to.

use neural_composer::processes::{Group, Pending, Processes};
use neural_composer::{Error, Result};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Longer than anybody is waited for.
const LOST: Duration = Duration::from_secs(60);

/// Where they meet.
#[derive(Default)]
struct Place {
    meeting: Mutex<Meeting>,
    all_are_here: Condvar,
}

#[derive(Default)]
struct Meeting {
    /// What each has told so far.
    told: Vec<Option<Vec<u8>>>,
    /// How many meetings there were.
    number: usize,
    /// What all told at the last one.
    last: Vec<Vec<u8>>,
}

struct Threads {
    rank: usize,
    count: usize,
    place: Arc<Place>,
}

impl Group for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn begin_sum(&self, values: Vec<f32>) -> Pending {
        let told = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut sums = vec![0f32; values.len()];
        for bytes in self.gather(told).unwrap() {
            assert_eq!(bytes.len(), 4 * sums.len(), "all of the same length");
            for (sum, value) in sums.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *sum += f32::from_le_bytes(*value);
            }
        }
        let (tell, told) = channel();
        tell.send(sums).unwrap();
        Pending::new(told, Arc::default())
    }

    fn gather(&self, told: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let mut here = self.place.meeting.lock().unwrap();
        here.told.resize(self.count, None);
        here.told[self.rank] = Some(told);
        let number = here.number;
        if here.told.iter().all(Option::is_some) {
            here.last = here.told.drain(..).flatten().collect();
            here.number += 1;
            self.place.all_are_here.notify_all();
            return Ok(here.last.clone());
        }
        let waiting = |here: &mut Meeting| here.number == number;
        let (here, late) = self.place.all_are_here.wait_timeout_while(here, LOST, waiting).unwrap();
        if late.timed_out() {
            return Err(Error::Processes("one does not come".to_owned()));
        }
        Ok(here.last.clone())
    }
}

/// What each of `count` processes makes of `work`, by rank.
pub fn each_of<T: Send>(count: usize, work: impl Fn(Processes) -> T + Sync) -> Vec<T> {
    let place = Arc::new(Place::default());
    let process = |rank| Processes::of(Arc::new(Threads { rank, count, place: place.clone() }));
    thread::scope(|scope| {
        let begin = |rank| {
            let (own, work) = (process(rank), &work);
            scope.spawn(move || work(own))
        };
        let threads: Vec<_> = (0..count).map(begin).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
