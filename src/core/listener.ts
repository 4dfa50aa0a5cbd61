import { messageOf } from './errors.ts';

/**
 * A listener of the caller that cannot affect the work: what it throws, or the rejection of its
 * promise, becomes a warning of the process. `whose` names it there.
 */
export function harmless<A extends readonly unknown[]>(
  whose: string,
  listen: (...args: A) => unknown,
): (...args: A) => void {
  const warn = (error: unknown): void =>
    process.emitWarning(`${whose} failed: ${messageOf(error)}`, 'BofhWarning');
  return (...args) => {
    try {
      const answer = listen(...args);
      // Without this, the rejection of an async function would end the process, in the middle of a
      // step.
      if (answer instanceof Promise) answer.catch(warn);
    } catch (error) {
      warn(error);
    }
  };
}
