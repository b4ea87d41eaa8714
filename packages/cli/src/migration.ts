import type { Catalog } from '@caloron/noether';
import { canonicalJson } from '@caloron/noether';
import { codeOf } from '@caloron/noether/errors';

import { originalName, replacementFor } from './migrate-ids.ts';

/** One reference of a graph that was given a name. */
export interface Renamed {
  /** Place in the graph, e.g. `root.stages[2].id`. */
  readonly path: string;
  readonly from: string;
  readonly to: string;
}

/** One reference nothing here answers to. */
export interface Unanswered {
  readonly path: string;
  readonly reference: string;
  /** What to do about it. */
  readonly advice: string;
}

/** A graph with names for the original's ids. */
export interface Migration {
  /** The text with only the references changed; as it was when there are none. */
  readonly text: string;
  readonly renamed: readonly Renamed[];
  readonly unknown: readonly Unanswered[];
}

type Place = { readonly path: string; readonly reference: string };

/**
 * Gives the references of a graph's text that are ids of the original's standard library or sprint stages, or its placeholders,
 * the names those stages have here. Formatting, comments and everything else stay. `text` is a graph that was parsed before.
 */
export function migrateText(text: string, catalog: Catalog): Migration {
  const graph: unknown = JSON.parse(text);
  const renames = new Map<string, string>();
  const [renamed, unknown]: [Renamed[], Unanswered[]] = [[], []];
  const visit = ({ path, reference }: Place): string => {
    const name = originalName(reference);
    if (name === null || !answers(catalog, name)) {
      if (!answers(catalog, reference)) unknown.push({ path, reference, advice: adviceOn(name) });
      return reference;
    }
    renamed.push({ path, from: reference, to: name });
    renames.set(reference, name);
    return name;
  };
  const migrated = rewriteGraph(graph, catalog, visit);
  if (renames.size === 0) return { text, renamed, unknown };
  const replaced = replaceIds(text, renames);
  // A literal elsewhere in the graph may look like a reference: then the text is written anew.
  const same = canonicalJson(JSON.parse(replaced)) === canonicalJson(migrated);
  return { text: same ? replaced : `${JSON.stringify(migrated, null, 2)}\n`, renamed, unknown };
}

function adviceOn(name: string | null): string {
  return name === null
    ? 'nobody here knows it: name the stage, or add it to the stage store with ./noether stage add'
    : `the original's ${name} is not a stage here: ${replacementFor(name)}`;
}

/** Whether exactly one stage answers to a reference, or several: the checker says so. */
function answers(catalog: Catalog, reference: string): boolean {
  try {
    catalog.resolve(reference);
    return true;
  } catch (error) {
    return codeOf(error) === 'GRAPH_STAGE_AMBIGUOUS';
  }
}

function replaceIds(text: string, renames: ReadonlyMap<string, string>): string {
  let replaced = text;
  for (const [from, to] of renames) replaced = replaced.replaceAll(JSON.stringify(from), JSON.stringify(to));
  return replaced;
}

type Fields = { readonly [key: string]: unknown };
type Visit = (place: Place) => string;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function rewriteGraph(graph: unknown, catalog: Catalog, visit: Visit): unknown {
  if (!isFields(graph)) return graph;
  return withField(graph, 'root', (root) => rewriteNode(root, 'root', catalog, visit));
}

/** Fields of a node that hold one node, a list of nodes, or a record of nodes. */
const CHILDREN: readonly string[] = [
  'stages',
  'branches',
  'predicate',
  'if_true',
  'if_false',
  'source',
  'targets',
  'sources',
  'target',
  'stage',
  'bindings',
  'body',
];

/** Those that hold a record of nodes by name. */
const RECORDS: readonly string[] = ['branches', 'bindings'];

function rewriteNode(node: unknown, path: string, catalog: Catalog, visit: Visit): unknown {
  if (!isFields(node)) return node;
  if (node['op'] === 'Stage') return rewriteStage(node, path, catalog, visit);
  if (node['op'] === 'Const') return node;
  const one = (child: unknown, at: string): unknown => rewriteNode(child, at, catalog, visit);
  const inside = (key: string, child: unknown, at: string): unknown => {
    if (Array.isArray(child)) return child.map((item, i) => one(item, `${at}[${i}]`));
    if (!RECORDS.includes(key) || !isFields(child)) return one(child, at);
    return Object.fromEntries(
      Object.entries(child).map(([name, item]) => [name, one(item, `${at}.${name}`)]),
    );
  };
  return CHILDREN.reduce<Fields>(
    (changed, key) => withField(changed, key, (child) => inside(key, child, `${path}.${key}`)),
    node,
  );
}

function rewriteStage(node: Fields, path: string, catalog: Catalog, visit: Visit): Fields {
  const named = withField(node, 'id', (id) =>
    typeof id === 'string' ? visit({ path: `${path}.id`, reference: id }) : id,
  );
  const { id, config } = named;
  if (typeof id !== 'string' || !isFields(config) || !answers(catalog, id)) return named;
  const references = Object.keys(catalog.resolve(id).stage.references ?? {});
  const changed = references.reduce<Fields>(
    (fields, field) =>
      withField(fields, field, (value) => rewriteLiteral(value, `${path}.config.${field}`, visit)),
    config,
  );
  return withField(named, 'config', () => changed);
}

function rewriteLiteral(value: unknown, path: string, visit: Visit): unknown {
  if (typeof value === 'string') return visit({ path, reference: value });
  if (!Array.isArray(value)) return value;
  return value.map((item: unknown, i) =>
    typeof item === 'string' ? visit({ path: `${path}[${i}]`, reference: item }) : item,
  );
}

/** The object with one of its own fields changed, in its place. */
function withField(fields: Fields, key: string, change: (value: unknown) => unknown): Fields {
  if (!Object.hasOwn(fields, key)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, name === key ? change(value) : value]),
  );
}
