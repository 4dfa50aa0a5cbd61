import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { operation, type Look } from '../../../src/atomic/operation.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { AtomicOperationSequence, type Steps } from '../../../src/atomic/sequence/sequence.ts';
import { newMachine, spawn, type Plan } from '../../support/crash/process.ts';
import { crash } from '../../support/crash/trial.ts';
import { newWorld } from '../../support/crash/world.ts';
import { rejectionOf } from '../../support/rejection.ts';

const claims = z.object({
  makes: z.exactOptional(z.array(z.string())),
  changes: z.exactOptional(z.array(z.string())),
  needs: z.exactOptional(z.array(z.string())),
});
const named = z.object({ name: z.string(), claims });

/** Steps that make, change and need what they are told to; what each is found as, the test chooses. */
function toy(plan: Plan = {}) {
  const ran: string[] = [];
  const looked: string[] = [];
  const looks = new Map<string, Look>();
  const code = operation({
    kind: 'toy.step',
    version: 1,
    args: named,
    undo: named,
    result: z.null(),
    lives: 'disk',
    restores: 'state',
    prepare: async ({ args }) => args,
    claims: ({ undo }) => undo.claims,
    run: async ({ undo: { name } }) => {
      ran.push(name);
      looks.set(name, { state: 'ours' });
      return null;
    },
    value: () => undefined,
    look: async ({ undo: { name } }) => {
      looked.push(name);
      return looks.get(name) ?? { state: 'gone' };
    },
    revert: async ({ undo: { name } }) => {
      looks.set(name, { state: 'gone' });
    },
  });
  const world = newWorld();
  const engine = (at: Plan = {}) => spawn(world, newMachine(), { find: () => code, plan: at }).engine;
  const run = (body: (tx: Steps) => Promise<unknown>) =>
    new AtomicOperationSequence({ engine: engine(plan), name: 'try' }).run(body);
  const step = (tx: Steps, name: string, of: z.infer<typeof claims>) => tx.step(code, { name, claims: of });
  const recovered = async ({ yes }: { readonly yes: boolean }) => {
    crash(world, 'reboot');
    const after = engine();
    const [open] = await openJournals(after);
    return recover(open?.id ?? '', { engine: after, yes });
  };
  return { ran, looked, looks, run, step, recovered };
}

const foreign: Look = { state: 'not-ours', found: 'vg0/a (uuid F) does not have the tag of this step' };

describe('a step on an object of an older step of its sequence', () => {
  test.each([{ changes: ['lv:a'] }, { needs: ['lv:a'] }])(
    'is refused when another object has the name, and everything is undone (%o)',
    async (uses) => {
      const { run, step, looks, ran } = toy();
      const error = await rejectionOf(
        run(async (tx) => {
          await step(tx, 'make', { makes: ['lv:a'] });
          looks.set('make', foreign);
          await step(tx, 'use', uses);
        }),
      );
      expect(String(error)).toMatch(/^RolledBackError/);
      expect(String(error)).toContain(
        'toy.step works on logical volume a, which is not as this sequence left it',
      );
      expect(String(error)).toContain('vg0/a (uuid F) does not have the tag of this step');
      expect(ran).toEqual(['make']);
    },
  );

  test('is refused when the object is missing', async () => {
    const { run, step, looks, ran } = toy();
    const work = run(async (tx) => {
      await step(tx, 'make', { makes: ['lv:a'] });
      looks.set('make', { state: 'gone' });
      await step(tx, 'use', { needs: ['lv:a'] });
    });
    await expect(work).rejects.toThrow(/it is gone; nothing was done to it/);
    expect(ran).toEqual(['make']);
  });

  test('is refused when the object has another name now', async () => {
    const { run, step, looks, ran } = toy();
    const work = run(async (tx) => {
      await step(tx, 'make', { makes: ['lv:a'] });
      looks.set('make', { state: 'ours', movedTo: 'lv:vg0/b' });
      await step(tx, 'use', { needs: ['lv:a'] });
    });
    await expect(work).rejects.toThrow(/it is lv:vg0\/b now/);
    expect(ran).toEqual(['make']);
  });

  test('checks with the newest step that changed the object', async () => {
    const { run, step, looks, ran, looked } = toy();
    await run(async (tx) => {
      await step(tx, 'make', { makes: ['file:a'] });
      await step(tx, 'edit', { changes: ['file:a'] });
      looks.set('make', foreign);
      looked.length = 0;
      await step(tx, 'use', { needs: ['file:a'] });
    });
    expect(ran).toEqual(['make', 'edit', 'use']);
    expect(looked).toEqual(['edit', 'use']);
  });

  test('checks each step once, for any number of its objects', async () => {
    const { run, step, looked } = toy();
    await run(async (tx) => {
      await step(tx, 'make', { makes: ['lv:a', 'fs:a'] });
      looked.length = 0;
      await step(tx, 'use', { needs: ['lv:a'], changes: ['fs:a'] });
    });
    expect(looked).toEqual(['make', 'use']);
  });

  test('checks nothing for objects of no step, nor of undone steps', async () => {
    const { run, step, looks, looked } = toy();
    await run(async (tx) => {
      await step(tx, 'change', { changes: ['vg:x'] });
      await rejectionOf(
        tx.scope('given up', async (inner) => {
          await step(inner, 'make', { makes: ['lv:a'] });
          throw new Error('no');
        }),
      );
      looks.set('change', foreign);
      looked.length = 0;
      await step(tx, 'use', { needs: ['vg:x', 'lv:a'] });
    });
    expect(looked).toEqual(['use']);
  });
});

describe('recovery of an object that an administrator renamed', () => {
  async function killed() {
    const { run, step, looks, recovered } = toy({ crashBefore: ({ label }) => label.includes('rollback') });
    const body = async (tx: Steps) => {
      await step(tx, 'make', { makes: ['lv:a'] });
      await step(tx, 'format', { makes: ['fs:a'], changes: ['lv:a'] });
      throw new Error('the script failed');
    };
    await rejectionOf(run(body));
    looks.set('format', { state: 'ours' });
    looks.set('make', { state: 'ours', movedTo: 'lv:vg0/keep' });
    return { looks, recovered };
  }

  test('leaves the journal open and says so', async () => {
    const { looks, recovered } = await killed();
    await expect(recovered({ yes: false })).rejects.toThrow(/logical volume a\): it is lv:vg0\/keep now/);
    expect(looks.get('make')).toMatchObject({ state: 'ours' });
  });

  test('undoes it with --yes', async () => {
    const { looks, recovered } = await killed();
    await recovered({ yes: true });
    expect(looks.get('make')).toEqual({ state: 'gone' });
  });
});
