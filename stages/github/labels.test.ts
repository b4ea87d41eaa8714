import { Event } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { exampleState, exampleTask } from '../sprint/example.ts';
import { issueOf } from '../testing/memory_forge.ts';
import { freshEvents } from './candidate.ts';
import { readLabels } from './labels.ts';

const state = {
  ...exampleState,
  tasks: { 'login-form': { ...exampleTask, issue_number: 1, pr_number: 4 } },
};

function look(labels: readonly string[], before: Record<string, string[]>, number = 1) {
  const { candidates, seen } = readLabels([issueOf(number, { labels })], state, before);
  const told = freshEvents(candidates, new Set()).map((event) => [
    event.type,
    'label' in event ? event.label : null,
  ]);
  return { told, seen };
}

describe('labels', () => {
  it('5.4.4 are told by what came and what went since they were last seen', () => {
    const { told, seen } = look(['b', 'c'], { 1: ['a', 'b'] });

    expect(told).toEqual([
      ['label_added', 'c'],
      ['label_removed', 'a'],
    ]);
    expect(seen).toEqual({ 1: ['b', 'c'] });
  });

  it('5.4.4 that stand there as before are told never again', () => {
    expect(look(['a', 'b'], { 1: ['a', 'b'] }).told).toEqual([]);
  });

  it('of a first sight came with the opening', () => {
    expect(look(['a'], {})).toEqual({ told: [], seen: { 1: ['a'] } });
  });

  it('of a pull request of a task are told too, of anything else not', () => {
    expect(look(['a'], { 4: [] }, 4).told).toEqual([['label_added', 'a']]);
    expect(look(['a'], { 9: [] }, 9)).toEqual({ told: [], seen: {} });
  });

  it('may be as long as a host allows: one never fails the poll', () => {
    const [long, longer] = ['é'.repeat(255), `${'é'.repeat(255)}!`];
    const { candidates } = readLabels([issueOf(1, { labels: [long, longer] })], state, { 1: [] });

    const events = candidates.map(({ event }) => Event.parse(event));
    expect(events).toMatchObject([{ label: long }, { label: longer }]);
    expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(2);
  });

  it('steer nothing: nobody is known to have put them', () => {
    const { candidates } = readLabels([issueOf(1, { labels: ['a', '__proto__'] })], state, { 1: [] });

    expect(candidates.map(({ event }) => [event.actor, event.trusted])).toEqual([
      [null, false],
      [null, false],
    ]);
  });
});
