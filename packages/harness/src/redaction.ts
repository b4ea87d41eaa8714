import { createRedactor, type Redactor } from '@caloron/capabilities/redact';
import type { ForgeRepo, Order } from '@caloron/types';

import type { LogFile } from './log-file.ts';

/** Names of variables whose value is a credential. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASSW|CREDENTIAL/i;

/** A redactor that knows what this process was given: the agent's token and every variable that is a credential by its name. */
export function redactorOf(order: Order, env: Readonly<Record<string, string>>): Redactor {
  const named = Object.entries(env).flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : []));
  return createRedactor([order.agent_token, ...named]);
}

/** A log that holds no credential of those the redactor knows. */
export function redactedLog(log: LogFile, redactor: Redactor): LogFile {
  const stream = redactor.stream((text) => log.write(text));
  return {
    write: (text) => stream.write(text),
    close() {
      stream.end();
      log.close();
    },
  };
}

/** A forge that is told no credential. The token it is opened with is one. */
export function redactedForge(
  open: (token: string) => ForgeRepo,
  redactor: Redactor,
): (token: string) => ForgeRepo {
  return (token) => {
    redactor.learn(token);
    const forge = open(token);
    return {
      ...forge,
      comment: (issue, body) => forge.comment(issue, redactor.text(body)),
      createPull: (pull) =>
        forge.createPull({ ...pull, title: redactor.text(pull.title), body: redactor.text(pull.body) }),
      review: (pull, review) => forge.review(pull, { ...review, body: redactor.text(review.body) }),
    };
  };
}
