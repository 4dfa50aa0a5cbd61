import { claimed, type Ensured } from '../atomic/ensure.ts';
import { beginRecipe, currentBofh, ensureInOwnSequence, single } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import { RefusedError } from '../core/errors.ts';
import type { EnsureMethods } from '../operations.ts';
import { type CreatedVm, createVm, planCreate } from '../vm/create.ts';
import { existingGuest } from '../vm/existing.ts';
import { checkCreate, type CreateRequest } from '../vm/create-request.ts';
import { planning } from './planning.ts';

/** Recipes that do nothing if the guest exists as requested. */
export interface EnsureRecipes {
  /** Recipes for guests. */
  readonly vm: {
    /**
     * Creates a guest, or does nothing if it exists as requested: its configuration has the settings of the
     * request, and its disks their sizes. The content of the disks is not compared: `source`, keys, addresses
     * and the like are used only if the guest is created. A guest that is off is not started: with `start`
     * that is a difference. Refuses `drbd`.
     */
    readonly create: (request: CreateRequest) => Promise<Ensured<CreatedVm>>;
  };
}

/** The recipes of `ensure`, each in a sequence of its own, or as a part of an open one. */
export const ensureRecipes: EnsureRecipes = { vm: { create: createGuest } };

async function createGuest(request: CreateRequest): Promise<Ensured<CreatedVm>> {
  const method = 'ensure.vm.create';
  beginRecipe(method);
  const { host, site, engine, signals } = currentBofh();
  const asked = naming(method, {}, () => checkCreate(request));
  const { name } = asked;
  const find = () => planning(method, { name }, () => existingGuest(host, { site, request: asked }));
  return single(`ensure vm create ${name}`, async (tx) => {
    for (let again = false; ; again = true) {
      const seen = await find();
      const value = seen === undefined ? undefined : await claimed(tx, seen, find);
      if (value !== undefined) return { value, changed: false };
      const watched = { onProgress: engine.onProgress, signal: signals?.stop };
      const plan = await planning(method, { name }, () =>
        planCreate({ host, site, request: asked, ...watched }),
      ).catch(async (error: unknown) => {
        // Another process may have created the guest since.
        if (!(error instanceof RefusedError) || again || (await find()) === undefined) throw error;
        return undefined;
      });
      if (plan !== undefined) return { value: await createVm(tx, plan, engine), changed: true };
    }
  });
}

/**
 * Create functions that do nothing if the object exists exactly as asked, each in a sequence of its own. Each
 * returns `{ value, changed }`, and throws DiffersError if the object exists and differs.
 */
export const ensure: EnsureMethods & EnsureRecipes = {
  ...ensureRecipes,
  block: {
    createImage: ensureInOwnSequence('block', 'createImage'),
    attachLoop: ensureInOwnSequence('block', 'attachLoop'),
  },
  lvm: {
    createLv: ensureInOwnSequence('lvm', 'createLv'),
    createThinPool: ensureInOwnSequence('lvm', 'createThinPool'),
  },
  filesystem: {
    create: ensureInOwnSequence('filesystem', 'create'),
    createImage: ensureInOwnSequence('filesystem', 'createImage'),
  },
  file: {
    create: ensureInOwnSequence('file', 'create'),
    createDirectory: ensureInOwnSequence('file', 'createDirectory'),
  },
  mount: {
    mount: ensureInOwnSequence('mount', 'mount'),
    addFstab: ensureInOwnSequence('mount', 'addFstab'),
    addCrypttab: ensureInOwnSequence('mount', 'addCrypttab'),
  },
  crypt: { format: ensureInOwnSequence('crypt', 'format') },
  btrfs: { createSubvolume: ensureInOwnSequence('btrfs', 'createSubvolume') },
  drbd: { createConfig: ensureInOwnSequence('drbd', 'createConfig') },
  xen: { create: ensureInOwnSequence('xen', 'create') },
};
