import type { StageNode } from '../graph/ast.ts';
import { GraphError } from '../graph/errors.ts';
import { resolveReference } from '../graph/resolve.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { hasCode, noCode } from '../stage/no-code.ts';
import type { Checking } from './state.ts';

/** The stage a reference means; a problem and null when there is none or there are several. A deprecated one is a warning. */
export function resolveStage(
  reference: string,
  path: string,
  pinning: StageNode['pinning'],
  check: Checking,
): CatalogStage | null {
  try {
    const { entry, deprecated } = resolveReference(check.catalog.entries, reference, path, pinning);
    for (const old of deprecated) {
      check.warn(
        path,
        `stage ${old.record.name} ${old.record.id.slice(0, 16)} is deprecated; running ${entry.record.id.slice(0, 16)}`,
      );
    }
    if (!hasCode(entry.stage)) {
      const { code, message, hint = '' } = noCode(entry.record);
      check.problem(path, code, `${message}; ${hint}`, { actual: reference });
    }
    return entry;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    if (error.code !== 'GRAPH_STAGE_UNKNOWN' && error.code !== 'GRAPH_STAGE_AMBIGUOUS') throw error;
    const close =
      error.code === 'GRAPH_STAGE_UNKNOWN'
        ? (error as GraphError<'GRAPH_STAGE_UNKNOWN'>).details.nearest[0]
        : undefined;
    check.problem(path, error.code, error.message, { actual: reference, nearest: close ?? null });
    return null;
  }
}
