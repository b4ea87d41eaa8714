import { fixedClock } from '@caloron/capabilities/clock';
import { afterEach, expect, it } from 'vitest';

import { createListening, type Listening } from './listening.ts';

const AT = '2026-11-21T10:00:00.000Z';
const HOUR = 3_600_000;

const open: Listening[] = [];
afterEach(() => open.splice(0).forEach((each) => each.close()));

function listening() {
  let at = 0;
  const clock = fixedClock(AT);
  const made = createListening(clock, () => at);
  open.push(made);
  return {
    made,
    /** The clock goes on by so much, and the machine's own time by as much or by `machine_ms`. */
    pass: (ms: number, machine_ms = ms) => {
      at += machine_ms;
      clock.advance(ms);
    },
  };
}

it('a shell listens since its start, however long', () => {
  const { made, pass } = listening();
  for (let second = 0; second < 30; second += 1) {
    pass(1000);
    expect(made.since()).toBe(AT);
  }
});

it.each([
  ['the machine slept and its time stood still', 8 * HOUR, 0],
  ['the machine slept and its time went on, or the shell was stopped', 8 * HOUR, 8 * HOUR],
  ['the clock was set ahead', HOUR, 1000],
  ['the clock was set back', -HOUR, 1000],
])('G1 after a time in which %s it listens anew', (_, ms, machine_ms) => {
  const { made, pass } = listening();
  pass(1000);
  pass(ms, machine_ms);
  const since = made.since();
  expect(since).toBe(new Date(Date.parse(AT) + 1000 + ms).toISOString());
  pass(1000);
  expect(made.since()).toBe(since);
});

it('G1 what was under way while the machine slept was heard when it fell asleep, and what was sent after now', () => {
  const { made, pass } = listening();
  pass(1000);
  const asleep = made.heard(AT);
  expect(asleep).toBe(new Date(Date.parse(AT) + 1000).toISOString());
  pass(8 * HOUR);
  expect(made.heard(AT)).toBe(asleep);
  const awake = made.since();
  pass(500);
  const now = new Date(Date.parse(awake) + 500).toISOString();
  expect(made.heard(awake)).toBe(now);
  expect(made.heard(null)).toBe(now);
});
