import { probeSandbox } from '@caloron/capabilities/sandbox';
import type { Sprint } from '@caloron/types';

/** What a sprint’s agents lack on this machine to be started at all, in a sentence; null when nothing does, or they run without a sandbox. */
export async function sandboxWarning(
  { host, isolation }: Pick<Sprint, 'host' | 'isolation'>,
  path: string | undefined,
): Promise<string | null> {
  const mode = isolation?.sandbox ?? 'auto';
  if (mode === 'off' || (mode === 'auto' && host !== null)) return null;
  const probe = await probeSandbox(path, isolation?.network);
  if (probe.program !== null) return null;
  const { reason, remedy } = probe;
  const why = mode === 'require' ? 'isolation.sandbox is "require"' : 'the sprint works on github.com';
  return `No agent will start on this machine without a sandbox, since ${why}: ${reason}. What helps: ${remedy}. Or set "isolation": {"sandbox": "off"} in caloron.json before the next kickoff.`;
}
