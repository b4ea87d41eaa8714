import { Event, Id } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { exampleWord } from './example.ts';

/** What agents and actions have said since a tick last read the log. */
export const readLogEvents = defineStage({
  name: 'read_log_events',
  description: "Reads the agents' and actions' events of a sprint from the log.",
  effects: ['NonDeterministic', 'Fallible'],
  capabilities: ['log.read'],
  input: z.object({ sprint_id: Id, after: z.number().int().min(0) }),
  output: z.strictObject({
    events: z.array(Event),
    /** The log's newest seq at that moment, whatever it is about. */
    last_seq: z.number().int().min(0),
  }),
  examples: [
    { input: { sprint_id: 'sprint-1', after: 0 }, output: { events: [exampleWord], last_seq: 7 } },
    { input: { sprint_id: 'sprint-1', after: 6 }, output: { events: [exampleWord], last_seq: 7 } },
    { input: { sprint_id: 'sprint-1', after: 7 }, output: { events: [], last_seq: 7 } },
  ],
  run: async ({ sprint_id, after }, { log }) => {
    const { events, last_seq } = await log.since({ sprint_id, after });
    return { events: events.map(({ event }) => event), last_seq };
  },
});
