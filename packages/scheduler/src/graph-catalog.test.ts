import { originalName, parseGraph } from '@caloron/noether';
import { describe, expect, it } from 'vitest';

import { loadCatalog } from './catalog.ts';
import { catalogFor } from './graph-catalog.ts';

const whole = loadCatalog();

async function names(root: unknown): Promise<readonly string[]> {
  const catalog = await catalogFor(parseGraph(JSON.stringify({ description: 'd', version: '1', root }), 'g'));
  return catalog.entries.map(({ record }) => record.name);
}

const stage = (id: string) => ({ op: 'Stage', id });

describe('the catalogue of a graph', () => {
  it('holds the stages it names and no others, with the ids they always have', async () => {
    const root = {
      op: 'Let',
      bindings: {
        now: stage('clock_now'),
        again: { op: 'Retry', stage: stage('clock_now'), max_attempts: 2 },
      },
      body: stage('dag_is_complete'),
    };
    const catalog = await catalogFor(
      parseGraph(JSON.stringify({ description: 'd', version: '1', root }), 'g'),
    );

    expect([...(await names(root))].sort()).toEqual(['clock_now', 'dag_is_complete']);
    for (const { record } of catalog.entries) expect(record).toEqual(whole.resolve(record.name).record);
  });

  it('finds the stages of the standard library by name, with the ids of their originals', async () => {
    const { entries } = await catalogFor(
      parseGraph(JSON.stringify({ description: 'd', version: '1', root: stage('text_upper') }), 'g'),
    );

    expect(entries.map(({ record }) => record)).toEqual([whole.resolve('text_upper').record]);
    expect(whole.resolve(whole.resolve('text_upper').record.signature_id).record.name).toBe('text_upper');
  });

  it('finds them by the ids of their originals too, without asking the others', async () => {
    const { id, signature_id } = whole.resolve('text_upper').record;
    const stages = [stage(id), stage(signature_id), stage('text_upper')];

    expect(await names({ op: 'Sequential', stages })).toEqual(['text_upper']);
    const mapped = { ...stage('map'), config: { stage_id: id } };
    expect([...(await names(mapped))].toSorted()).toEqual(['map', 'text_upper']);
  });

  it('knows the ids of every original that is there', () => {
    const originals = whole.entries.filter(({ record }) => originalName(record.id) !== undefined);

    expect(originals.length).toBeGreaterThan(50);
    for (const { record } of originals)
      expect([originalName(record.id), originalName(record.signature_id)]).toEqual([
        record.name,
        record.name,
      ]);
  });

  it('is the whole one where only all ids tell which stage is meant', async () => {
    const { id } = whole.resolve('clock_now').record;
    const all = whole.entries.map(({ record }) => record.name);

    expect(await names(stage(id))).toEqual(all);
    expect(await names(stage(id.slice(0, 8)))).toEqual(all);
    expect(await names(stage('feed'))).toEqual(all);
  });

  it('is the whole one for a name nobody has, so that the nearest is found', async () => {
    expect(await names(stage('clock_nwo'))).toHaveLength(whole.entries.length);
  });
});
