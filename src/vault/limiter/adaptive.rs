//! How fast a vault may be asked: a value that is told what happened, and says when the next request may go.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How many requests a vault gets from this node at once: each has a connection, and a connection has memory.
const AT_ONCE: usize = 64;

/// What any vault is taken to answer in a second. Beyond that it is asked gently until it has shown that it answers more:
/// whoever asks for more is likely to be told to stop, and what is under way then is wasted. Two pods of fifty objects
/// and one of twenty are fewer.
const EASY: usize = 150;

/// How many requests are under way at once beyond what is easy, and so long as a vault that throttled has a limit.
const GENTLY: usize = 4;

/// For so many answers beyond what is easy, all in one second, one more request is under way at once.
const STEP: usize = 12;

/// The second over which requests are counted. A little longer than the vault's own, since clocks differ and requests
/// travel for different times.
const SECOND: Duration = Duration::from_millis(1_040);

/// How long a vault that throttled is asked no faster than it could answer then. Key Vault counts over ten seconds
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits>).
const MEMORY: Duration = Duration::from_secs(10);

/// The least that is asked of a vault that throttled, in a second.
const LEAST: usize = 10;

/// After so long again there is no limit.
const FORGIVEN: Duration = Duration::from_secs(60);

/// The longest that our own doubling keeps everybody waiting.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest that a vault's word does: a header that is wrong must not keep a node from a vault for days.
const LONGEST_NAMED: Duration = Duration::from_secs(300);

/// What is known of a vault's patience.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long a vault is left alone that does not say how long.
    first_wait: Duration,
    /// When the requests of the last second went out.
    sent: VecDeque<Instant>,
    /// When those of the last second were answered that were not throttled.
    answered: VecDeque<Instant>,
    under_way: usize,
    throttled: Option<Throttled>,
}

#[derive(Debug, Clone, Copy)]
struct Throttled {
    at: Instant,
    not_before: Instant,
    /// Requests in a second that the vault can take.
    limit: usize,
    /// How often in a row, without an answer in between.
    row: u32,
}

/// When the next request may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Now,
    At(Instant),
    /// When one that is under way has ended.
    WhenAnswered,
}

impl Pace {
    pub(super) fn new(first_wait: Duration) -> Self {
        Self { first_wait, sent: VecDeque::new(), answered: VecDeque::new(), under_way: 0, throttled: None }
    }

    pub(super) fn next(&mut self, now: Instant) -> Next {
        forget_old(&mut self.sent, now);
        if let Some(until) = self.throttled_until(now) {
            return Next::At(until);
        }
        if let Some(throttled) = self.throttled {
            match throttled.limit(now) {
                None => self.throttled = None,
                Some(limit) if self.sent.len() >= limit => {
                    return Next::At(self.sent[self.sent.len() - limit] + SECOND);
                }
                Some(_) => {}
            }
        }
        forget_old(&mut self.answered, now);
        let at_once = match self.throttled {
            Some(_) => GENTLY,
            None if self.sent.len() < EASY => AT_ONCE,
            None => AT_ONCE.min(GENTLY + self.answered.len().saturating_sub(EASY) / STEP),
        };
        if self.under_way < at_once { Next::Now } else { Next::WhenAnswered }
    }

    /// Until when the vault has asked us to wait, where that is not over.
    pub(super) fn throttled_until(&self, now: Instant) -> Option<Instant> {
        self.throttled.map(|throttled| throttled.not_before).filter(|not_before| now < *not_before)
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.sent.push_back(now);
        self.under_way += 1;
    }

    pub(super) fn answered(&mut self, now: Instant) {
        forget_old(&mut self.answered, now);
        self.answered.push_back(now);
        if let Some(throttled) = &mut self.throttled
            && now > throttled.not_before
        {
            throttled.row = 0;
        }
    }

    /// The request that went out at `sent` was throttled.
    pub(super) fn throttled(
        &mut self,
        sent: Instant,
        now: Instant,
        retry_after: Option<Duration>,
        jitter: f64,
    ) {
        let earlier = self.throttled.filter(|throttled| sent < throttled.at);
        // One that belongs to an earlier refusal waits no longer than that one's first.
        let row = match earlier {
            // An answer that came in between has set it to none.
            Some(earlier) => earlier.row.saturating_sub(1),
            None => self.throttled.map_or(0, |throttled| throttled.row),
        };
        let wait = match retry_after {
            Some(named) => named.min(LONGEST_NAMED),
            None => (self.first_wait * 2_u32.pow(row.min(5))).min(LONGEST),
        };
        // A spread of a twentieth, but not more than a quarter second, on top of what the vault said: never before.
        let not_before = now + wait + wait.min(Duration::from_secs(5)).mul_f64(jitter / 20.0);
        self.throttled = Some(match earlier {
            // Another one of those that were under way when the vault began to refuse.
            Some(earlier) => Throttled { not_before: earlier.not_before.max(not_before), ..earlier },
            None => {
                forget_old(&mut self.answered, now);
                Throttled { at: now, not_before, limit: self.answered.len().max(LEAST), row: row + 1 }
            }
        });
    }

    /// A request is over, whatever became of it.
    pub(super) fn ended(&mut self) {
        self.under_way -= 1;
    }
}

impl Throttled {
    /// What the vault may be asked for in a second by now; `None` where that is past.
    fn limit(&self, now: Instant) -> Option<usize> {
        let quiet = now.saturating_duration_since(self.at + MEMORY);
        // A tenth more each second.
        let more = self.limit.saturating_mul(usize::try_from(quiet.as_secs()).unwrap_or(usize::MAX)) / 10;
        (quiet < FORGIVEN).then_some(self.limit + more)
    }
}

fn forget_old(moments: &mut VecDeque<Instant>, now: Instant) {
    while moments.front().is_some_and(|moment| now.saturating_duration_since(*moment) >= SECOND) {
        moments.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends all that may go out at `now`, and says how many.
    fn send(pace: &mut Pace, now: Instant) -> usize {
        let mut sent = 0;
        while pace.next(now) == Next::Now {
            pace.sent(now);
            sent += 1;
        }
        sent
    }

    fn answer(pace: &mut Pace, count: usize, now: Instant) {
        for _ in 0..count {
            pace.answered(now);
            pace.ended();
        }
    }

    /// Asks for as much as may be asked, each answer taking 10 ms, for `rounds` of them.
    fn run(pace: &mut Pace, begin: Instant, rounds: u32) -> Vec<usize> {
        let mut widths = Vec::new();
        for round in 0..rounds {
            let now = begin + MS * 10 * round;
            let sent = send(pace, now);
            answer(pace, sent, now + MS * 10);
            widths.push(sent);
        }
        widths
    }

    #[test]
    fn a_vault_is_asked_gently_for_more_than_it_has_shown_to_answer() {
        let begin = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1));
        let widths = run(&mut pace, begin, 60);
        assert_eq!(widths[..4], [64, 64, 22, 4], "up to what is easy, and then gently");
        assert!(widths[3..].is_sorted(), "{widths:?}");
        assert_eq!(widths.last(), Some(&64), "it has shown that it answers more: {widths:?}");
        assert_eq!(run(&mut pace, begin + SECOND * 3, 3), [64, 64, 22], "a second later that may be past");
    }

    #[test]
    fn all_wait_for_the_moment_that_the_vault_names() {
        let begin = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1));
        pace.sent(begin);
        pace.throttled(begin, begin + MS, Some(Duration::from_secs(3)), 0.0);
        pace.ended();
        let not_before = begin + MS + Duration::from_secs(3);
        assert_eq!(pace.next(begin + MS * 2), Next::At(not_before));
        assert_eq!(pace.next(not_before - MS), Next::At(not_before));
        assert_eq!(pace.next(not_before), Next::Now);
    }

    #[test]
    fn a_moment_that_is_minutes_away_is_waited_for_and_one_that_is_days_away_is_not() {
        for (named, waited) in [(31, 31), (300, 300), (86_400, 300), (u64::MAX, 300)] {
            let begin = Instant::now();
            let mut pace = Pace::new(Duration::from_secs(1));
            pace.sent(begin);
            pace.throttled(begin, begin, Some(Duration::from_secs(named)), 0.0);
            pace.ended();
            assert_eq!(pace.next(begin), Next::At(begin + Duration::from_secs(waited)), "{named}");
        }
    }

    #[test]
    fn jitter_never_comes_before_the_vaults_word() {
        for (jitter, late) in [(0.0, 0), (0.5, 25), (1.0, 50)] {
            let begin = Instant::now();
            let mut pace = Pace::new(Duration::from_secs(1));
            pace.sent(begin);
            pace.throttled(begin, begin, Some(Duration::from_secs(1)), jitter);
            pace.ended();
            assert_eq!(pace.next(begin), Next::At(begin + MS * (1_000 + late)), "{jitter}");
        }
    }

    #[test]
    fn without_a_word_of_the_vault_the_wait_doubles_until_it_answers() {
        let mut now = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1));
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(pace.next(now), Next::Now);
            pace.sent(now);
            pace.throttled(now, now, None, 0.0);
            pace.ended();
            assert_eq!(pace.next(now), Next::At(now + Duration::from_secs(seconds)), "{seconds}");
            now += Duration::from_secs(seconds);
        }
        pace.sent(now + MS);
        answer(&mut pace, 1, now + MS);
        pace.sent(now + MS * 2);
        pace.throttled(now + MS * 2, now + MS * 2, None, 0.0);
        pace.ended();
        assert_eq!(pace.next(now + MS * 2), Next::At(now + MS * 2 + Duration::from_secs(1)));
    }

    #[test]
    fn those_under_way_when_the_vault_begins_to_refuse_are_one_refusal() {
        let begin = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1));
        for _ in 0..8 {
            pace.sent(begin);
        }
        for refusal in 1..=8 {
            pace.throttled(begin, begin + MS * refusal, None, 0.0);
            pace.ended();
        }
        assert_eq!(pace.next(begin + MS * 9), Next::At(begin + MS * 8 + Duration::from_secs(1)));
    }

    /// It was a panic, or half a minute without a read in release.
    #[test]
    fn one_that_was_under_way_and_is_refused_after_an_answer_closes_the_gate_for_a_first_wait() {
        let begin = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1));
        for _ in 0..3 {
            pace.sent(begin);
        }
        pace.throttled(begin, begin + MS, Some(Duration::ZERO), 0.0);
        pace.ended();
        answer(&mut pace, 1, begin + MS * 2);
        pace.throttled(begin, begin + MS * 3, None, 0.0);
        pace.ended();
        assert_eq!(pace.next(begin + MS * 4), Next::At(begin + MS * 3 + Duration::from_secs(1)));
    }

    #[test]
    fn a_vault_that_throttled_is_asked_for_what_it_could_answer_and_later_for_more() {
        let begin = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1));
        for _ in 0..200 {
            pace.sent(begin);
        }
        answer(&mut pace, 200, begin);
        pace.sent(begin);
        pace.throttled(begin, begin, Some(Duration::from_secs(2)), 0.0);
        pace.ended();
        let again = begin + Duration::from_secs(2);
        let mut sent = 0;
        while pace.next(again) == Next::Now {
            sent += send(&mut pace, again);
            let under_way = pace.under_way;
            answer(&mut pace, under_way, again);
        }
        assert_eq!(sent, 200);
        assert_eq!(pace.next(again), Next::At(again + SECOND));

        let throttled = pace.throttled.unwrap();
        assert_eq!(throttled.limit(begin + MEMORY), Some(200));
        assert_eq!(throttled.limit(begin + MEMORY + Duration::from_secs(1)), Some(220));
        assert_eq!(throttled.limit(begin + MEMORY + Duration::from_secs(60)), None);
    }

    #[test]
    fn a_vault_that_refuses_all_is_still_tried() {
        let begin = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1));
        pace.sent(begin);
        pace.throttled(begin, begin, Some(Duration::ZERO), 0.0);
        pace.ended();
        assert_eq!(send(&mut pace, begin + SECOND), GENTLY);
    }
}
