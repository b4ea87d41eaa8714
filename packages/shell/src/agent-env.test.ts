import { describe, expect, it } from 'vitest';

import { agentEnvironment } from './agent-env.ts';
import { exampleSprint } from './testing/fixture.ts';

function environmentOf(
  framework: string,
  env: Readonly<Record<string, string>>,
  pass_env = 'GITHUB_TOKEN MY_FLAG',
): Record<string, string> {
  const {
    CALORON_PROCESS_ID: _,
    CALORON_ORDER_FILE: __,
    ...passed
  } = agentEnvironment({
    env,
    sprint: { ...exampleSprint, framework, framework_options: { pass_env } },
    token_envs: ['GITHUB_TOKEN'],
    process_id: 'p-1',
    order_file: '/tmp/order.json',
  });
  return passed;
}

describe("an agent's environment", () => {
  it('has the certificates of the machine, so that its harness and its framework can reach the network', () => {
    const env = { NODE_EXTRA_CA_CERTS: '/etc/ca.pem', SSL_CERT_FILE: '/etc/ssl.pem', LC_ALL: 'C' };

    expect(environmentOf('stub', env)).toEqual(env);
  });

  it.each([
    ['gemini-cli', 'GOOGLE_CLOUD_PROJECT'],
    ['gemini-cli', 'GOOGLE_GENAI_USE_VERTEXAI'],
    ['open-code', 'OPENCODE_CONFIG'],
    ['claude-code', 'CLAUDE_CODE_OAUTH_TOKEN'],
  ])('has what %s needs: %s', (framework, name) => {
    expect(environmentOf(framework, { [name]: 'x' })).toEqual({ [name]: 'x' });
    expect(environmentOf('stub', { [name]: 'x' })).toEqual({});
  });

  it('has no key of an app and no secret of webhooks, though pass_env names them', () => {
    const secrets = Object.fromEntries(
      ['APP_ID', 'PRIVATE_KEY', 'PRIVATE_KEY_FILE', 'INSTALLATION_ID'].map((part) => [
        `${exampleSprint.token_env}_${part}`,
        'secret',
      ]),
    );
    const env = { ...secrets, CALORON_WEBHOOK_SECRET: 'secret' };

    expect(environmentOf('stub', env, Object.keys(env).join(' '))).toEqual({});
  });

  it('5.6.15 G19 has what pass_env names, and never a forge token', () => {
    expect(environmentOf('stub', { GITHUB_TOKEN: 'secret', MY_FLAG: '1' })).toEqual({ MY_FLAG: '1' });
  });
});
