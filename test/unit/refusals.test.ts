import { describe, expect, it } from 'vitest';
import {
  CommandError,
  InterruptedError,
  JournalError,
  ParseError,
  RefusedError,
  ToolError,
  UsageError,
} from '../../src/core/errors.ts';
import { on, refusals } from '../../src/core/refusals.ts';
import { rejectionOf } from '../support/rejection.ts';

const refuse = (error: Error) => (): never => {
  throw error;
};
const failed = new CommandError({ tool: 'lvs', argv: [], reason: 'unknown', exitCode: 5 });

describe('the refusals of a request', () => {
  it('are reported together, and are a usage error only if all are', async () => {
    const [usage, mixed] = [refusals(), refusals()];
    await usage.try(refuse(new UsageError('a')));
    await usage.try(refuse(new UsageError('b')));
    await mixed.try(refuse(new UsageError('a')));
    await mixed.try(refuse(new RefusedError('c', { remedy: 'do' })));

    expect(() => usage.throwAll()).toThrow(UsageError);
    expect(() => usage.throwAll()).toThrow('a; b');
    expect(() => mixed.throwAll()).toThrow(expect.objectContaining({ name: 'RefusedError', remedy: 'do' }));
  });

  it('keep the class of a single one, and are nothing without any', async () => {
    const [one, none] = [refusals(), refusals()];

    expect(await none.try(() => 7)).toBe(7);
    await one.try(refuse(failed));

    none.throwAll();
    expect(() => one.throwAll()).toThrow(failed);
  });

  it.each([
    new ParseError('not understood'),
    new JournalError('not readable'),
    new InterruptedError('Ctrl-C'),
    new ToolError('missing'),
    new TypeError('a bug'),
  ])('exclude other errors: $name is thrown unchanged', async (error) => {
    const found = refusals();
    await found.try(refuse(new UsageError('a')));

    expect(await rejectionOf(found.try(refuse(error)))).toBe(error);
  });
});

describe('a check on one host of several', () => {
  it.each<[Error, string]>([
    [new UsageError('x'), 'UsageError'],
    [new RefusedError('x'), 'RefusedError'],
    [new ToolError('x'), 'ToolError'],
    [new ParseError('x'), 'ParseError'],
    [new JournalError('x'), 'JournalError'],
    [failed, 'RefusedError'],
  ])('names the host: $name', async (error, name) => {
    expect(await rejectionOf(on('b', refuse(error)))).toMatchObject({
      name,
      message: `on b: ${error.message}`,
      cause: error,
    });
  });
});
