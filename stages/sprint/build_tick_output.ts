import { ForgeAway, Id, TickOutput, Timestamp } from '@caloron/types';
import { z } from 'zod';

import { awayWords } from '../github/away.ts';
import { defineStage } from '../kit.ts';
import { EXAMPLE_NOW } from './example.ts';

const Executed = z.object({ actions_taken: z.array(z.string()), errors: z.array(z.string()) });

/** What one round of a tick has seen and done. */
const Round = z.object({
  ...Executed.shape,
  stuck: z.record(Id, z.string()),
  complete: z.boolean(),
  last_seq: z.number().int().min(0),
  /** Since when and until when the forge is away, where the round has polled. */
  away: ForgeAway.nullish(),
  /** What the poll has seen and does not count. */
  ignored: z.array(z.object({ reason: z.string() })).nullish(),
});

/** Sums up a tick: all that was done, and how the sprint stands after its last round. */
export const buildTickOutput = defineStage({
  name: 'build_tick_output',
  description: 'Sums up the rounds of a tick.',
  effects: ['Pure'],
  input: z.object({
    now: Timestamp,
    shell_error: z.string().nullish(),
    /** The first round; the others follow in `rounds`. */
    first: Round,
    rounds: z.array(Round),
  }),
  output: TickOutput,
  examples: [
    {
      input: {
        now: EXAMPLE_NOW,
        first: { actions_taken: ['merge:PR#4'], errors: [], stuck: {}, complete: false, last_seq: 7 },
        rounds: [{ actions_taken: ['done:#1'], errors: [], stuck: {}, complete: true, last_seq: 12 }],
      },
      output: {
        actions_taken: ['merge:PR#4', 'done:#1'],
        errors: [],
        complete: true,
        polled_at: EXAMPLE_NOW,
        stuck: {},
        consumed_seq: 12,
      },
    },
    {
      input: {
        now: EXAMPLE_NOW,
        shell_error: 'SHELL_UNREACHABLE: nobody answers',
        first: { actions_taken: [], errors: ['spawn: again later'], stuck: {}, complete: false, last_seq: 3 },
        rounds: [],
      },
      output: {
        actions_taken: [],
        errors: ['shell: SHELL_UNREACHABLE: nobody answers', 'spawn: again later'],
        complete: false,
        polled_at: EXAMPLE_NOW,
        stuck: {},
        consumed_seq: 3,
      },
    },
    {
      input: {
        now: EXAMPLE_NOW,
        shell_error: null,
        first: {
          actions_taken: [],
          errors: [],
          stuck: { mail: 'waits_for: form' },
          complete: false,
          last_seq: 0,
        },
        rounds: [],
      },
      output: {
        actions_taken: [],
        errors: [],
        complete: false,
        polled_at: EXAMPLE_NOW,
        stuck: { mail: 'waits_for: form' },
        consumed_seq: 0,
      },
    },
  ],
  run: ({ now, shell_error, first, rounds }) => {
    const all = [first, ...rounds];
    const last = rounds.at(-1) ?? first;
    const away = first.away ?? null;
    const ignored = (first.ignored ?? []).map(({ reason }) => reason);
    return {
      actions_taken: all.flatMap((round) => round.actions_taken),
      errors: [
        ...(shell_error ? [`shell: ${shell_error}`] : []),
        ...(away === null ? [] : [`forge: ${awayWords(away)}`]),
        ...all.flatMap((round) => round.errors),
      ],
      complete: last.complete,
      polled_at: now,
      stuck: last.stuck,
      consumed_seq: last.last_seq,
      ...(away === null ? {} : { forge_away: away }),
      ...(ignored.length === 0 ? {} : { ignored }),
    };
  },
});
