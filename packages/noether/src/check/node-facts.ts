import type { StageNode } from '../graph/ast.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { type EffectJson, effectSet } from '../stage/identity.ts';
import type { Checking } from './state.ts';

/** The stage of a node and those its config names; none for a node whose stage is unknown. */
export function stagesOf(node: StageNode, check: Checking): readonly CatalogStage[] {
  const entry = check.stages.get(node);
  return entry ? [entry, ...(check.callees.get(node)?.values() ?? [])] : [];
}

/** The effects a node has when it runs, in set order: its stage's and those of the stages it calls. Pure only if all of them are. */
export function nodeEffects(node: StageNode, check: Checking): readonly EffectJson[] {
  const stages = stagesOf(node, check);
  const [own, ...callees] = stages;
  if (!own) return [{ effect: 'Unknown' }];
  if (callees.length === 0) return own.effective_effects;
  const pure = stages.every(({ effective_effects }) => isPure(effective_effects));
  const all = stages.flatMap(({ effective_effects }) => effective_effects);
  return effectSet(pure ? all : all.filter(({ effect }) => effect !== 'Pure'));
}

/** The capabilities of a node's stage and of the stages it calls. */
export function nodeCapabilities(node: StageNode, check: Checking): readonly string[] {
  return [...new Set(stagesOf(node, check).flatMap(({ stage }) => stage.capabilities))];
}

function isPure(effects: readonly EffectJson[]): boolean {
  return effects.some(({ effect }) => effect === 'Pure');
}
