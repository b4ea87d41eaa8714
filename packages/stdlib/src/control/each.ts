import { BOOL, type Json } from '@caloron/noether/stage';
import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyResult, AnyValue, Items } from '../shape.ts';
import { together } from './together.ts';

/** `map`: items are worked on at once; the answers are in the items' order, the error is that of the first item that has one. */
export const map = original(
  defineStage({
    name: 'map',
    description: 'Calls a stage with each item of a list and lists its answers.',
    effects: ['Pure'],
    input: z.object({ items: Items, stage_id: z.string() }),
    output: Items,
    references: { stage_id: { takes: 'items[]' } },
    examples: [
      { input: { items: [1, 'a', null], stage_id: 'to_text' }, output: ['1', 'a', 'null'] },
      { input: { items: [[1, 2], []], stage_id: 'list_length' }, output: [2, 0] },
      { input: { items: [], stage_id: 'to_text' }, output: [] },
    ],
    tags: ['control', 'list'],
    run: ({ items, stage_id }, { stages }, signal) =>
      together(
        items.length,
        (index, inner) => stages.call(stage_id, items[index] ?? null, { index, signal: inner }),
        signal,
      ),
  }),
);

/** `filter`: an item stays where the stage answers true and nothing else. */
export const filter = original(
  defineStage({
    name: 'filter',
    description: 'Gives the items of a list a stage answers true to.',
    effects: ['Pure'],
    input: z.object({ items: Items, stage_id: z.string() }),
    output: Items,
    references: { stage_id: { takes: 'items[]', gives: BOOL } },
    examples: [
      { input: { items: [0, 1, '', 'x'], stage_id: 'to_bool' }, output: [1, 'x'] },
      { input: { items: ['a', ''], stage_id: 'is_empty' }, output: [''] },
      { input: { items: [], stage_id: 'to_bool' }, output: [] },
    ],
    tags: ['control', 'list'],
    run: async ({ items, stage_id }, { stages }, signal) => {
      const kept = await together(
        items.length,
        (index, inner) => stages.call(stage_id, items[index] ?? null, { index, signal: inner }),
        signal,
      );
      return items.filter((_, index) => kept[index] === true);
    },
  }),
);

/** `reduce`: the stage is called with `{accumulator, item}`, one item after the other; its answer is the next accumulator. */
export const reduce = original(
  defineStage({
    name: 'reduce',
    description: 'Brings a list to one value by calling a stage with each item and what it answered before.',
    effects: ['Pure'],
    input: z.object({ items: Items, initial: AnyValue, stage_id: z.string() }),
    output: AnyResult,
    references: { stage_id: {} },
    examples: [
      {
        input: { items: ['a', 'b'], initial: 'x', stage_id: 'kind_of' },
        output: 'object',
      },
      {
        input: { items: [1], initial: 0, stage_id: 'to_json' },
        output: '{"accumulator":0,"item":1}',
      },
      { input: { items: [], initial: [7], stage_id: 'to_text' }, output: [7] },
    ],
    tags: ['control', 'list'],
    run: async ({ items, initial, stage_id }, { stages }, signal) => {
      let accumulator: Json = initial;
      for (const [index, item] of items.entries()) {
        const options = signal ? { index, signal } : { index };
        signal?.throwIfAborted();
        accumulator = await stages.call(stage_id, { accumulator, item }, options);
      }
      return accumulator;
    },
  }),
);
