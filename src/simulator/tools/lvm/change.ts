import { findLv } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { lvcreate } from './create.ts';
import { badName } from './names.ts';
import { lvconvertCopies } from './raid.ts';
import { lvextend, lvreduce } from './resize.ts';
import { lvmerge } from './snapshot.ts';
import { snapshotsOf, targetOf } from './target.ts';
import { dropSpare, isPool, poolKept } from './thin.ts';
import { activateWith, commit, deactivateWith, isMounted, isOpen, removeLv } from './volumes.ts';
import { isClassicSnapshot } from '../../world/layers.ts';

/**
 * lvconvert, lvcreate, lvchange, lvextend, lvreduce, lvrename and lvremove (lvm2 2.03.16). A
 * failure has exit code 5, a wrong command line 3.
 */
export const lvmChanges: Readonly<Record<string, ToolModel>> = {
  lvconvert: (call) => (call.argv.includes('--mirrors') ? lvconvertCopies(call) : lvmerge(call)),
  lvcreate,
  lvchange,
  lvrename,
  lvremove,
  lvextend,
  lvreduce,
};

function lvchange(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--ignoreactivationskip', '--refresh'],
    values: ['--activate', '--poll', '--setautoactivation', '--addtag', '--deltag', '--select', '--config'],
  });
  const [activate, autoactivation] = [one(options, '--activate'), one(options, '--setautoactivation')];
  const [added, removed] = ['--addtag', '--deltag'].map((each) => options.values.get(each) ?? []);
  const tags = [...(added ?? []), ...(removed ?? [])].length > 0;
  if (options.flags.has('--refresh')) {
    const target = targetOf(call, options);
    return 'exitCode' in target ? target : ok();
  }
  if ([activate !== undefined, autoactivation !== undefined, tags].filter(Boolean).length !== 1)
    throw unmodelled(call, 'it changes one thing at a time');
  const target = targetOf(call, options);
  if ('exitCode' in target) return target;
  const { vg, lv, selected } = target;
  if (!selected) return ok();
  if (tags) {
    lv.tags = [...new Set([...lv.tags, ...(added ?? [])])].filter((tag) => removed?.includes(tag) !== true);
    commit(vg);
    return ok(`  Logical volume ${vg.name}/${lv.name} changed.\n`);
  }
  if (autoactivation !== undefined) {
    lv.autoactivation = autoactivation === 'y';
    commit(vg);
    return ok(`  Logical volume ${vg.name}/${lv.name} changed.\n`);
  }
  if (activate === 'y') {
    if (lv.skipped !== true || options.flags.has('--ignoreactivationskip')) activateWith(call.world, vg, lv);
    return ok();
  }
  if (activate !== 'n') throw unmodelled(call, `it does not know --activate ${activate ?? ''}`);
  const name = `${vg.name}/${lv.name}`;
  if (isMounted(call.world, lv)) return failed(5, `  Logical volume ${name} contains a filesystem in use.`);
  if (isOpen(call.world, lv)) return failed(5, `  Logical volume ${name} in use.`);
  const origin = vg.lvs.find(({ uuid }) => uuid === lv.origin);
  if (origin !== undefined && isClassicSnapshot(lv))
    return failed(
      5,
      `Change of snapshot ${name} will also change its origin ${vg.name}/${origin.name}. Proceed? [y/n]: [n]\n  Logical volume ${name} not changed.`,
    );
  deactivateWith(call.world, vg, lv);
  return ok();
}

function lvrename(call: ToolCall): ReturnType<ToolModel> {
  const [vgName = '', from = '', to = '', ...more] = readOptions(call, { values: ['--config'] }).words;
  if (to === '' || more.length > 0) throw unmodelled(call, 'it takes a group, the old name and the new one');
  const bad = badName(to)?.replace(
    /^Logical volume name (?<name>.*) is invalid\.$/s,
    'New logical volume name $<name> is invalid',
  );
  const wrong = bad ?? (to === from ? 'Old and new logical volume names must differ' : undefined);
  if (wrong !== undefined) return failed(3, `  ${wrong}\n  Run \`lvrename --help' for more information.`);
  const vg = call.world.lvm.find(({ name }) => name === vgName);
  if (vg === undefined)
    return failed(5, `  Volume group "${vgName}" not found\n  Cannot process volume group ${vgName}`);
  const lv = findLv(call.world, vgName, from)?.lv;
  if (findLv(call.world, vgName, to) !== undefined)
    return failed(5, `  Logical Volume "${to}" already exists in volume group "${vgName}"`);
  if (lv === undefined)
    return failed(5, `  Existing logical volume "${from}" not found in volume group "${vgName}"`);
  lv.name = to;
  commit(vg);
  return ok(`  Renamed "${from}" to "${to}" in volume group "${vgName}"\n`);
}

/**
 * lvremove with closed stdin, so that every question is answered with no; with `--yes`, which bofh
 * uses only for a snapshot, with yes.
 */
function lvremove(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { flags: ['--yes'], values: ['--select', '--config'] });
  const target = targetOf(call, options);
  if ('exitCode' in target) return target;
  const { vg, lv, selected } = target;
  if (!selected) return ok();
  const name = `${vg.name}/${lv.name}`;
  if (isMounted(world, lv)) return failed(5, `  Logical volume ${name} contains a filesystem in use.`);
  if (isOpen(world, lv)) return failed(5, `  Logical volume ${name} in use.`);
  if (world.active.has(lv.uuid) && !options.flags.has('--yes'))
    return failed(
      5,
      `Do you really want to remove active logical volume ${name}? [y/n]: [n]\n  Logical volume ${name} not removed.`,
    );
  // With an inactive origin lvm removes its snapshots without a question (seen on 2.03.16); with
  // --yes also with an active one.
  const kept = isPool(lv) ? poolKept(vg, lv) : undefined;
  if (kept !== undefined) return kept;
  const all = [...snapshotsOf(vg, lv), lv];
  for (const each of all) removeLv(world, vg, each);
  dropSpare(world, vg);
  return ok(all.map((each) => `  Logical volume "${each.name}" successfully removed.\n`).join(''));
}
