use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn limit() -> AdaptiveLimit {
    AdaptiveLimit::new(SECOND)
}

/// Sends all requests that may be sent at `now`.
fn send(limit: &mut AdaptiveLimit, now: Instant) -> Vec<InFlight> {
    let mut sent = Vec::new();
    while limit.next(now) == Next::Now {
        sent.push(limit.send(now));
    }
    sent
}

fn answer(limit: &mut AdaptiveLimit, sent: Vec<InFlight>, now: Instant) {
    for request in sent {
        limit.answered(request, now);
    }
}

/// Sends requests from `begin` on with immediate answers, and counts those sent within `length`.
fn count(limit: &mut AdaptiveLimit, begin: Instant, length: Duration) -> u32 {
    let (mut now, mut count) = (begin, 0);
    while now < begin + length {
        match limit.next(now) {
            Next::Now => {
                let request = limit.send(now);
                limit.answered(request, now);
                count += 1;
            }
            Next::At(moment) => now = moment,
            Next::WhenAnswered => panic!("all is answered at once"),
        }
    }
    count
}

/// Returns a limit whose first 64 requests were all refused, and the time when it is open again.
fn refused(retry_after: Duration) -> (AdaptiveLimit, Instant) {
    let (mut limit, begin) = (limit(), Instant::now());
    for request in send(&mut limit, begin) {
        limit.refused(request, begin, Some(retry_after), 0.0);
    }
    let reopens = limit.closed_until(begin).unwrap_or(begin);
    (limit, reopens)
}

/// Sends one request, which is refused.
fn refuse_one(limit: &mut AdaptiveLimit, now: Instant, retry_after: Option<Duration>, jitter: f64) {
    assert_eq!(limit.next(now), Next::Now);
    let request = limit.send(now);
    limit.refused(request, now, retry_after, jitter);
}

#[test]
fn a_thousand_reads_at_node_start_wait_for_nothing_but_connections() {
    let (mut limit, begin) = (limit(), Instant::now());
    let (mut sent, mut rounds) = (0, 0);
    while sent < 1_000 {
        let round = send(&mut limit, begin + MS * 10 * rounds);
        rounds += 1;
        sent += round.len();
        answer(&mut limit, round, begin + MS * 10 * rounds);
    }
    assert_eq!(rounds, 16, "64 in each round trip");
}

#[test]
fn a_vault_that_never_refuses_gets_its_published_limit() {
    let (mut limit, begin) = (limit(), Instant::now());
    let first = count(&mut limit, begin, SECOND * 10);
    assert!((3_990..=4_000).contains(&first), "{first}");
    assert_eq!(count(&mut limit, begin + SECOND * 10, SECOND * 10), 2_500);
}

#[test]
fn one_stray_refusal_costs_its_wait_and_no_speed() {
    let (mut limit, begin) = (limit(), Instant::now());
    let mut sent = send(&mut limit, begin);
    limit.refused(sent.remove(0), begin + MS * 10, Some(SECOND), 0.0);
    answer(&mut limit, sent, begin + MS * 10);
    let reopens = begin + MS * 10 + SECOND;
    assert_eq!(limit.next(begin + MS * 11), Next::At(reopens));
    assert_eq!(send(&mut limit, reopens).len(), 64);
}

/// Otherwise such refusals would cost no speed, and the vault would refuse many more after its wait.
#[test]
fn a_vault_that_answers_earlier_requests_and_refuses_the_last_ones_is_at_its_limit() {
    for (refused_last, limited) in [(true, true), (false, false)] {
        let (mut limit, begin) = (limit(), Instant::now());
        let mut sent = send(&mut limit, begin);
        if !refused_last {
            sent.reverse();
        }
        for request in sent.split_off(60) {
            limit.refused(request, begin + MS * 10, Some(SECOND), 0.0);
        }
        answer(&mut limit, sent, begin + MS * 11);
        let reopens = begin + MS * 10 + SECOND;
        assert_eq!(limit.next(reopens), Next::Now);
        assert_eq!(send(&mut limit, reopens).len() < 64, limited, "the last ones: {refused_last}");
    }
}

/// Otherwise one stray refusal while a node starts would make a thousand reads wait for five seconds.
#[test]
fn a_refusal_for_which_all_others_were_withdrawn_is_a_stray_one() {
    let (mut limit, begin) = (limit(), Instant::now());
    let mut sent = send(&mut limit, begin);
    limit.refused(sent.remove(0), begin, Some(SECOND), 0.0);
    sent.into_iter().for_each(|request| limit.ended(request));
    assert_eq!(limit.next(begin + SECOND), Next::Now);
    assert_eq!(send(&mut limit, begin + SECOND).len(), 64);
}

#[test]
fn a_second_stray_refusal_within_ten_seconds_is_a_limit() {
    // It is forgiven when the vault is open again, a second after it.
    for (later, limited) in [(10, true), (12, false)] {
        let (mut limit, begin) = (limit(), Instant::now());
        for at in [begin, begin + SECOND * later] {
            let mut sent = send(&mut limit, at);
            let stray = sent.remove(0);
            limit.answered(sent.remove(0), at);
            limit.refused(stray, at, Some(SECOND), 0.0);
            answer(&mut limit, sent, at);
            assert_eq!(limit.next(at), Next::At(at + SECOND));
            assert_eq!(limit.next(at + SECOND), Next::Now);
        }
        assert_eq!(send(&mut limit, begin + SECOND * (later + 1)).len() < 64, limited, "after {later} s");
    }
}

#[test]
fn what_a_vault_answered_at_once_before_a_first_refusal_it_gets_in_part_at_once_after_it() {
    // Of 64 requests at once, at the rate after too few requests: 200 a second.
    for (answered, burst) in [(8, 6), (10, 6), (16, 9), (30, 16), (48, 21)] {
        let (mut limit, begin) = (limit(), Instant::now());
        let mut sent = send(&mut limit, begin);
        let refused = sent.split_off(answered);
        answer(&mut limit, sent, begin);
        for request in refused {
            limit.refused(request, begin, Some(SECOND), 0.0);
        }
        assert_eq!(send(&mut limit, begin + SECOND).len(), burst, "{answered} of 64");
    }
}

/// The vault has a token bucket of 40, and 200 requests a second.
#[test]
fn a_vault_gets_no_more_in_four_seconds_than_it_answers_and_answered_at_once() {
    let (mut limit, begin) = (limit(), Instant::now());
    let mut sent = send(&mut limit, begin);
    let refused = sent.split_off(40);
    answer(&mut limit, sent, begin);
    for request in refused {
        limit.refused(request, begin, Some(SECOND), 0.0);
    }
    let got = count(&mut limit, begin + SECOND, SECOND * 4);
    assert!((825..=840).contains(&got), "{got}");
}

#[test]
fn a_refused_vault_gets_what_it_answered_in_the_second_before() {
    let (mut limit, begin) = (limit(), Instant::now());
    for round in 0..3 {
        let sent = send(&mut limit, begin + MS * 10 * round);
        answer(&mut limit, sent, begin + MS * 10 * (round + 1));
    }
    // 28 more are answered, and 36 refused.
    let mut sent = send(&mut limit, begin + MS * 30);
    let late = sent.split_off(36);
    for request in sent {
        limit.refused(request, begin + MS * 40, Some(SECOND), 0.0);
    }
    answer(&mut limit, late, begin + MS * 41);
    let reopens = begin + MS * 40 + SECOND;
    let got = count(&mut limit, reopens, SECOND);
    // The vault's seconds are not the limit's: with as many as were answered the vault could refuse again.
    assert!((200..=212).contains(&got), "220 were answered, and then {got}");
}

#[test]
fn a_refusal_in_a_second_with_few_requests_says_little_of_the_rate() {
    let (mut limit, begin) = (limit(), Instant::now());
    for request in [(); 2].map(|()| limit.send(begin)) {
        limit.refused(request, begin, Some(SECOND), 0.0);
    }
    let got = count(&mut limit, begin + SECOND, SECOND);
    assert!((200..=220).contains(&got), "{got}");
}

#[test]
fn one_refusal_with_nothing_else_in_flight_costs_its_wait_and_no_speed() {
    let (mut limit, begin) = (limit(), Instant::now());
    refuse_one(&mut limit, begin, Some(SECOND), 0.0);
    assert_eq!(limit.next(begin), Next::At(begin + SECOND));
    assert_eq!(send(&mut limit, begin + SECOND).len(), 64);
}

#[test]
fn the_refusals_of_one_epoch_slow_the_rate_once() {
    let (mut limit, mut now) = refused(SECOND);
    count(&mut limit, now, SECOND);
    now += SECOND;
    for request in send(&mut limit, now + MS * 50) {
        limit.refused(request, now + MS * 60, Some(SECOND), 0.0);
    }
    now += MS * 60 + SECOND;
    // 85 % of 201, plus the accumulated slack.
    let got = count(&mut limit, now, SECOND);
    assert!((171..=182).contains(&got), "{got}");
}

#[test]
fn a_refusal_that_comes_late_lengthens_the_wait_and_slows_nothing() {
    let (mut limit, begin) = (limit(), Instant::now());
    let mut sent = send(&mut limit, begin);
    let late = sent.split_off(63);
    for request in sent {
        limit.refused(request, begin, Some(SECOND), 0.0);
    }
    let mut now = begin + SECOND;
    assert_eq!(limit.next(now), Next::Now);
    for request in late {
        limit.refused(request, now, Some(SECOND), 0.0);
    }
    assert_eq!(limit.next(now), Next::At(now + SECOND));
    now += SECOND;
    let got = count(&mut limit, now, SECOND);
    assert!((200..=220).contains(&got), "{got}");
}

#[test]
fn the_rate_rises_by_a_step_that_doubles_and_ends_after_about_ten_seconds() {
    let (mut limit, reopens) = refused(SECOND);
    let mut got = Vec::new();
    for second in 0..6 {
        got.push(count(&mut limit, reopens + SECOND * second, SECOND));
    }
    let rises: Vec<u32> = got.windows(2).skip(1).map(|pair| pair[1] - pair[0]).collect();
    assert!(rises.windows(2).all(|pair| pair[1] + 2 >= pair[0] * 2), "{got:?}");
    assert!(limit.is_limited(reopens + SECOND * 6));
    assert!(!limit.is_limited(reopens + SECOND * 10));
    assert_eq!(send(&mut limit, reopens + SECOND * 10).len(), 64);
}

/// Otherwise its limiter would be kept without end, though no pod reads the vault any more.
#[test]
fn a_vault_that_gets_no_request_after_its_wait_is_limited_for_a_minute_more() {
    let (mut limit, reopens) = refused(SECOND);
    assert!(limit.is_limited(reopens + SECOND * 59));
    assert!(!limit.is_limited(reopens + SECOND * 60));
    assert_eq!(limit.next(reopens + SECOND * 60), Next::Now);
    assert!(!limit.is_limited(reopens + SECOND * 60), "the rate has ended too");
    assert_eq!(send(&mut limit, reopens + SECOND * 60).len(), 64);
}

#[test]
fn a_vault_that_refuses_nearly_all_is_asked_five_times_a_second() {
    let (mut limit, mut now) = (limit(), Instant::now());
    for _ in 0..40 {
        let Next::Now = limit.next(now) else { panic!("closed at {now:?}") };
        let request = limit.send(now);
        limit.answered(request, now);
        while let Next::At(moment) = limit.next(now) {
            now = moment;
        }
        refuse_one(&mut limit, now, Some(Duration::ZERO), 0.0);
        now = limit.closed_until(now).unwrap_or(now);
    }
    let got = count(&mut limit, now, SECOND);
    assert!((5..=6).contains(&got), "{got}");
}

#[test]
fn until_a_rate_held_for_a_second_the_next_is_halfway_to_what_was_answered() {
    let (mut limit, now) = refused(SECOND);
    // The vault answers 32 of the 200 requests in a second.
    let mut answered = 0;
    let mut at = now;
    while answered < 32 {
        match limit.next(at) {
            Next::Now => {
                let request = limit.send(at);
                limit.answered(request, at);
                answered += 1;
            }
            Next::At(moment) => at = moment,
            Next::WhenAnswered => panic!("all is answered at once"),
        }
    }
    while let Next::At(moment) = limit.next(at) {
        at = moment;
    }
    refuse_one(&mut limit, at, Some(SECOND), 0.0);
    // The root of 32 * 200 is 80.
    let got = count(&mut limit, at + SECOND, SECOND);
    assert!((80..=85).contains(&got), "{got}");
}

#[test]
fn a_vault_that_answers_nothing_at_all_keeps_its_rate_and_waits_longer() {
    let (mut limit, mut now) = refused(SECOND);
    for wait in [2, 4, 8] {
        refuse_one(&mut limit, now, Some(SECOND), 0.0);
        assert_eq!(limit.next(now), Next::At(now + SECOND * wait));
        now += SECOND * wait;
    }
    // 85 % of 200, three times.
    let got = count(&mut limit, now, SECOND);
    assert!((122..=132).contains(&got), "{got}");
}

#[test]
fn all_wait_for_the_moment_that_the_vault_names() {
    let (mut limit, begin) = (limit(), Instant::now());
    let request = limit.send(begin);
    limit.refused(request, begin + MS, Some(SECOND * 3), 0.0);
    let reopens = begin + MS + SECOND * 3;
    assert_eq!(limit.next(begin + MS * 2), Next::At(reopens));
    assert_eq!(limit.next(reopens - MS), Next::At(reopens));
    assert_eq!(limit.next(reopens), Next::Now);
}

#[test]
fn a_moment_that_is_minutes_away_is_waited_for_and_one_that_is_days_away_is_not() {
    for (named, waited) in [(31, 31), (300, 300), (86_400, 300), (u64::MAX, 300)] {
        let (mut limit, begin) = (limit(), Instant::now());
        refuse_one(&mut limit, begin, Some(Duration::from_secs(named)), 0.0);
        assert_eq!(limit.next(begin), Next::At(begin + SECOND * waited), "{named}");
    }
}

#[test]
fn jitter_is_up_to_a_quarter_of_the_wait_and_never_comes_before_the_vaults_word() {
    for (named, jitter, waited) in [
        (0, 0.0, 0),
        (0, 1.0, 250),
        (100, 1.0, 350),
        (1_000, 0.0, 1_000),
        (4_000, 0.5, 4_250),
        (1_000, 1.0, 1_250),
        (8_000, 1.0, 10_000),
        (1_000, -1.0, 1_000),
        (1_000, 7.0, 1_250),
    ] {
        let (mut limit, begin) = (limit(), Instant::now());
        refuse_one(&mut limit, begin, Some(MS * named), jitter);
        let expected = if waited == 0 { Next::Now } else { Next::At(begin + MS * waited) };
        assert_eq!(limit.next(begin), expected, "{named} ms, {jitter}");
    }
}

/// The largest of many draws is always near the end of the range, so a whole fleet would return there.
#[test]
fn jitter_is_drawn_once_for_all_refusals_of_an_epoch() {
    let (mut limit, begin) = (limit(), Instant::now());
    let sent = send(&mut limit, begin);
    for (number, request) in sent.into_iter().enumerate() {
        let jitter = if number == 0 { 0.2 } else { 1.0 };
        limit.refused(request, begin, Some(SECOND), jitter);
    }
    assert_eq!(limit.next(begin), Next::At(begin + MS * 1_010));
}

#[test]
fn without_a_word_of_the_vault_the_wait_doubles_until_it_answers() {
    let (mut limit, mut now) = (limit(), Instant::now());
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        refuse_one(&mut limit, now, None, 0.0);
        assert_eq!(limit.next(now), Next::At(now + SECOND * seconds), "{seconds}");
        now += SECOND * seconds;
    }
    assert_eq!(limit.next(now), Next::Now);
    let request = limit.send(now);
    limit.answered(request, now);
    now += SECOND;
    refuse_one(&mut limit, now, None, 0.0);
    assert_eq!(limit.next(now), Next::At(now + SECOND));
}

/// This case was a panic in debug builds, and half a minute without a read in release builds.
#[test]
fn a_request_that_is_refused_after_a_later_one_was_answered_closes_the_vault_for_a_first_wait() {
    let (mut limit, begin) = (limit(), Instant::now());
    let [first, second, third] = [(); 3].map(|()| limit.send(begin));
    limit.refused(first, begin + MS, Some(Duration::ZERO), 0.0);
    assert_eq!(limit.next(begin + MS), Next::Now);
    let fourth = limit.send(begin + MS);
    limit.answered(fourth, begin + MS * 2);
    limit.answered(second, begin + MS * 2);
    limit.refused(third, begin + MS * 3, None, 0.0);
    assert_eq!(limit.next(begin + MS * 4), Next::At(begin + MS * 3 + SECOND));
}

#[test]
fn a_request_that_ends_without_an_answer_makes_room() {
    let (mut limit, begin) = (limit(), Instant::now());
    let mut sent = send(&mut limit, begin);
    assert_eq!((sent.len(), limit.next(begin)), (64, Next::WhenAnswered));
    limit.ended(sent.remove(0));
    assert_eq!(limit.next(begin), Next::Now);
}

#[test]
fn a_later_refusal_with_a_shorter_wait_does_not_open_the_vault_before_the_moment_that_was_named() {
    let (mut limit, begin) = (limit(), Instant::now());
    let [first, late] = [(); 2].map(|()| limit.send(begin));
    limit.refused(first, begin, Some(Duration::ZERO), 0.0);
    assert_eq!(limit.next(begin), Next::Now);
    let next = limit.send(begin);
    limit.refused(late, begin, Some(SECOND * 60), 0.0);
    limit.refused(next, begin, Some(SECOND), 0.0);
    assert_eq!(limit.next(begin), Next::At(begin + SECOND * 60));
}
