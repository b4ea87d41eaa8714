import { z } from 'zod';

import type { CatalogEntry } from '../ports.ts';
import type { StageRecord } from '../stage-record.ts';
import type { Stage } from './define-stage.ts';
import type { EffectList } from './effects.ts';
import { StageError } from './errors.ts';

const WITHOUT_CODE = new WeakSet<Stage>();

/** STAGE_NO_CODE with the next step. */
export function noCode({ name, id, implementation_language }: StageRecord): StageError<'STAGE_NO_CODE'> {
  return new StageError(
    'STAGE_NO_CODE',
    { stage: name, id, language: implementation_language ?? null },
    {
      hint: 'write it as a stage of this program (docs/stages.md), or let it run elsewhere behind a RemoteStage node',
    },
  );
}

/** A record of the store as a catalog entry: graphs find it and check its types; calling it throws STAGE_NO_CODE. */
export function entryWithoutCode(record: StageRecord): CatalogEntry {
  const { name, description, capabilities, examples, tags = [], cost, signature } = record;
  const stage: Stage = Object.freeze({
    name,
    description,
    effects: signature.effects.effects as unknown as EffectList,
    capabilities,
    input: z.unknown(),
    output: z.unknown(),
    examples,
    tags,
    cost,
    run: () => {
      throw noCode(record);
    },
  });
  WITHOUT_CODE.add(stage);
  return { stage, record };
}

/** Whether a stage can be run here. */
export function hasCode(stage: Stage): boolean {
  return !WITHOUT_CODE.has(stage);
}
