import { parseGraph } from '@caloron/noether';
import { originalStages } from '@caloron/noether/records';
import { loadCatalog } from '@caloron/scheduler';
import { describe, expect, it } from 'vitest';

import { migrateText } from './migration.ts';

const catalog = loadCatalog();
const idOf = (name: string): string => originalStages.find((stage) => stage.name === name)?.id ?? '';

function migrate(root: object, layout = 2): ReturnType<typeof migrateText> & { readonly root: unknown } {
  const text = JSON.stringify({ description: 'd', version: '0.1.0', _note: 'kept', root }, null, layout);
  const migrated = migrateText(text, catalog);
  parseGraph(migrated.text, 'graph');
  return { ...migrated, root: (JSON.parse(migrated.text) as { root: unknown }).root };
}

describe('a graph of the original', () => {
  it.each([
    ['of the standard library', idOf('kv_get'), 'kv_get'],
    ['a beginning of one', idOf('kv_get').slice(0, 10), 'kv_get'],
    ['a signature id', originalStages.find(({ name }) => name === 'to_text')?.signature_id ?? '', 'to_text'],
    ['of a sprint stage', '151f096db2ccb66365ce410abaa6293056560a00f0e8ee415e9524b6fa16f5ac', 'dag_evaluate'],
    ['of a sprint stage, by eight digits', '7707fb69', 'dag_evaluate'],
    ['a placeholder', 'REGISTER:fetch_repo_context', 'fetch_repo_context'],
  ])('that refers to an id %s gets the name', (_what, id, name) => {
    const { root, renamed, unknown } = migrate({ op: 'Sequential', stages: [{ op: 'Stage', id }] });

    expect(root).toEqual({ op: 'Sequential', stages: [{ op: 'Stage', id: name }] });
    expect(renamed).toEqual([{ path: 'root.stages[0].id', from: id, to: name }]);
    expect(unknown).toEqual([]);
  });

  it('gets names inside every op and in the config of stages that call others', () => {
    const stage = { op: 'Stage', id: idOf('to_text') };
    const named = { op: 'Stage', id: 'to_text' };
    const graph = (leaf: object, reference: string): object => ({
      op: 'Let',
      bindings: {
        a: { op: 'Parallel', branches: { x: leaf, op: leaf } },
        b: { op: 'Branch', predicate: leaf, if_true: leaf, if_false: leaf },
        c: { op: 'Fanout', source: leaf, targets: [leaf] },
        d: { op: 'Merge', sources: [leaf], target: leaf },
        e: { op: 'Retry', stage: leaf, max_attempts: 2, delay_ms: null },
        f: { op: 'Map', over: 'items', as: 'item', stage: leaf },
        g: { op: 'Stage', id: 'map', config: { stage_id: reference } },
      },
      body: leaf,
    });

    expect(migrate(graph(stage, idOf('to_text'))).root).toEqual(graph(named, 'to_text'));
  });

  it('keeps its layout and what only looks like a reference', () => {
    const id = idOf('to_text');
    const { text, root } = migrate({
      op: 'Sequential',
      stages: [
        { op: 'Const', value: { id } },
        { op: 'Stage', id },
      ],
    });
    expect(root).toEqual({
      op: 'Sequential',
      stages: [
        { op: 'Const', value: { id } },
        { op: 'Stage', id: 'to_text' },
      ],
    });
    expect(text).toContain('_note');

    const wide = migrate({ op: 'Stage', id }, 7).text;
    expect(wide).toContain('\n       "root"');
  });

  it('says what to do about what has no stage here', () => {
    const graph = {
      op: 'Sequential',
      stages: [
        '3aa3acb602dc489bd851736c9d373a433fbb15059aac85370c2c3f83cad3cd38',
        'a'.repeat(64),
        'nobody',
      ].map((id) => ({ op: 'Stage', id })),
    };

    const { renamed, unknown, root } = migrate(graph);

    expect(root).toEqual(graph);
    expect(renamed).toEqual([]);
    expect(unknown.map(({ path }) => path)).toEqual([
      'root.stages[0].id',
      'root.stages[1].id',
      'root.stages[2].id',
    ]);
    expect(unknown[0]?.advice).toContain('load_sprint');
  });

  it('by name is left as it is, to the byte', () => {
    const text = '{ "description":"d","version":"0",\n\n"root":{"op":"Stage","id":"kv_get"} }';

    expect(migrateText(text, catalog)).toEqual({ text, renamed: [], unknown: [] });
  });
});
