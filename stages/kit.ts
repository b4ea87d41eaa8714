import { stageKit } from '@caloron/noether/stage';
import type { CaloronCapabilities } from '@caloron/types';

/** `defineStage` bound to the capabilities a Caloron stage can ask for. */
export const defineStage = stageKit<CaloronCapabilities>();
