import { effectWord } from '../check/policy.ts';
import type { GraphNode } from '../graph/ast.ts';
import { walk } from '../graph/walk.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { type EffectJson, effectSet } from '../stage/identity.ts';
import { originalStage } from './original-check.ts';
import { type Facts, capabilityWord } from './operator-case.ts';

const REMOTE: readonly EffectJson[] = [{ effect: 'Network' }, { effect: 'Fallible' }];

/** Words of effects the original's policies know. */
const KNOWN = new Set([
  'pure',
  'fallible',
  'fs-read',
  'fs-write',
  'llm',
  'network',
  'non-deterministic',
  'cost',
  'process',
  'unknown',
]);
const SPELLINGS = new Map([...KNOWN].map((word) => [word.replaceAll('-', ''), word]));

/** Words of capabilities they know: `process` is not among them. */
const KNOWN_CAPABILITIES = new Set(['network', 'fsread', 'fswrite', 'gpu', 'llm']);

/** Every effect of a graph once, in set order: unknown stages have Unknown, literals Pure. */
export function originalEffects(root: GraphNode, stages: readonly CatalogStage[]): readonly string[] {
  const all = [...walk(root)].flatMap(({ node }): readonly EffectJson[] => {
    if (node.op === 'RemoteStage') return REMOTE;
    if (node.op === 'Const') return [{ effect: 'Pure' }];
    if (node.op !== 'Stage') return [];
    return originalStage(stages, node)?.effects ?? [{ effect: 'Unknown' }];
  });
  return effectSet(all).map(({ effect }) => effectWord(effect));
}

/** What the original's policies refuse. An allow-list that is absent, empty or all misspelled allows everything. */
export function originalViolations(
  root: GraphNode,
  stages: readonly CatalogStage[],
  allow: { readonly effects?: readonly string[]; readonly capabilities?: readonly string[] },
): Facts {
  const effects = new Set(
    (allow.effects ?? []).flatMap((word) => SPELLINGS.get(word.replaceAll('-', '')) ?? []),
  );
  const capabilities = new Set(
    (allow.capabilities ?? []).map(capabilityWord).filter((word) => KNOWN_CAPABILITIES.has(word)),
  );
  const nodes = [...walk(root)].map(({ node }) => node);
  const refusedEffects = effects.size === 0 ? [] : nodes.flatMap((node) => ofEffects(node, stages, effects));
  const refusedCapabilities =
    capabilities.size === 0 ? [] : nodes.flatMap((node) => ofCapabilities(node, stages, capabilities));
  return {
    effect_violations: refusedEffects.length,
    effect_violation_messages: refusedEffects,
    capability_violations: refusedCapabilities.length,
    capability_violation_messages: refusedCapabilities,
  };
}

function ofEffects(
  node: GraphNode,
  stages: readonly CatalogStage[],
  allowed: ReadonlySet<string>,
): readonly string[] {
  if (node.op !== 'Stage' && node.op !== 'RemoteStage') return [];
  const entry = node.op === 'Stage' ? originalStage(stages, node) : undefined;
  const refused = (effects: readonly EffectJson[]): readonly string[] =>
    effects.map(({ effect }) => effectWord(effect)).filter((word) => !allowed.has(word));
  if (node.op === 'RemoteStage')
    return refused(REMOTE).map(
      (word) => `RemoteStage declares implicit effect ${word}; grant with --allow-effects ${word}`,
    );
  if (!entry)
    return refused([{ effect: 'Unknown' }]).map(
      (word) => `stage ${node.id} has unknown effects (not in store); grant with --allow-effects ${word}`,
    );
  return refused(effectSet(entry.effects)).map(
    (word) =>
      `stage '${entry.record.description}' declares effect ${word}; grant it with --allow-effects ${word}`,
  );
}

function ofCapabilities(
  node: GraphNode,
  stages: readonly CatalogStage[],
  allowed: ReadonlySet<string>,
): readonly string[] {
  const needed = node.op === 'Stage' ? (originalStage(stages, node)?.record.capabilities ?? []) : [];
  return needed
    .filter((capability) => !allowed.has(capabilityWord(capability)))
    .map(
      (capability) =>
        `stage ${(node as GraphNode & { op: 'Stage' }).id} requires capability ${capability} which is not granted`,
    );
}
