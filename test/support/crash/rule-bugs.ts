import type { ProductBug, Tests } from './product-bugs.ts';

/** One for each rule about what others do, in the whole measure alone: each costs a run of tests of its own. */
export const ruleBugs: readonly ProductBug[] = [
  bug('a directory of another user is accepted', 'unit/command/exposed-path.test.ts', {
    file: 'command/exposed-path.ts',
    old: 'const foreign = stat.uid !== 0 && stat.uid !== owner;',
    now: 'const foreign = stat.uid < 0;',
  }),
  bug('a file in a directory that others can write to is accepted', 'unit/command/exposed-path.test.ts', {
    file: 'command/exposed-path.ts',
    old: "parentShared = name !== '..' && shared;",
    now: 'parentShared = false;',
  }),
  bug('a failed command shows all that it printed', 'unit/host/secret-output.test.ts', {
    file: 'host/answer.ts',
    old: '...(shownOf === undefined ? output :',
    now: '...(true ? output :',
  }),
  bug('output that could not be parsed is quoted', 'unit/host/secret-output.test.ts', {
    file: 'command/unparsed.ts',
    old: 'if (shownOf !== undefined)',
    now: 'if (shownOf === null)',
  }),
  bug('drbdadm quotes the shared secret', 'unit/host/secret-output.test.ts', {
    file: 'drbd/commands.ts',
    old: ".replaceAll(/shared-secret\\s+[^\\n]*/g, 'shared-secret …')",
    now: '',
  }),
  bug('a site file that catches the refusal of its import is used', 'unit/script/site-imports.test.ts', {
    file: 'script/site.ts',
    old: '      // The site file may have caught this error.\n      if (refused !== undefined) throw refused;\n',
    now: '',
  }),
  bug('a loop device is identified by the inode number alone', 'unit/blockdevice/keys.test.ts', {
    file: 'blockdevice/keys.ts',
    old: "const born = isSame && there.birth !== undefined ? `+${there.birth}` : '';",
    now: "const born = '';",
  }),
  bug('data of others is zeroed after the commit', matrixOf('block', 'block.zero the world moved on'), {
    file: 'erase/destroy.ts',
    old: '  if (of.witness === undefined) return;\n  const from',
    now: '  if (of.witness !== undefined) return;\n  const from',
  }),
  bug('zeros of an interrupted act count as data of others', 'unit/erase/witness.test.ts', {
    file: 'erase/witness.ts',
    old: "at >= from && digest !== '' && digest",
    now: 'at >= from && digest',
  }),
  bug('an object on a disk that got another name counts as gone', 'unit/erase/twin.test.ts', {
    file: 'blockdevice/locate.ts',
    old: 'if (other !== undefined)\n    throw new RefusedError(\n      `${what} is not on',
    now: 'if (other === undefined)\n    throw new RefusedError(\n      `${what} is not on',
  }),
  bug('a lock whose file was removed is valid', 'unit/atomic/lock.test.ts', {
    file: 'atomic/locks/lock.ts',
    old: "if (!opened.every(isNamed)) return 'removed';",
    now: '',
  }),
  bug('a lock that was lost before the intent is on disk is valid', 'unit/atomic/lock.test.ts', {
    file: 'atomic/locks/lock.ts',
    old: 'find(([key]) => held.get(key)?.files.every(isNamed) !== true)',
    now: 'find(([key]) => held.get(key) === undefined)',
  }),
  bug('a hole before the last append may be cut off', 'unit/atomic/lines.test.ts', {
    file: 'atomic/journal/lines.ts',
    old: "every((text) => text[8] === '+' || text[8] === '\\0')",
    now: 'every(() => true)',
  }),
  bug('the journal of a running sequence claims no objects', 'unit/atomic/claims.test.ts', {
    file: 'atomic/locks/claims.ts',
    old: 'const [worked] = await workedOn(engine, [seen]);',
    now: "const [worked] = await workedOn(engine, [seen]);\n        if (worked?.owner === 'running') continue;",
  }),
  bug('an owner in another PID namespace counts as dead', 'unit/atomic/claims.test.ts', {
    file: 'atomic/journal/scan.ts',
    old: 'const hidden = journals.filter(({ state }) => !isSameView(state.owner, engine.processes.self));',
    now: 'const hidden: readonly Seen[] = [];',
  }),
  bug('a process that has the journal open counts as its program', 'unit/atomic/real.test.ts', {
    file: 'atomic/locks/processes.ts',
    old: '.filter(({ pid }) => hasLocked(pid, inode))',
    now: '',
  }),
  bug(
    'recovery at boot continues after its time limit',
    { file: 'test/unit/cli/boot.test.ts', title: 'bofh recover --boot' },
    {
      file: 'cli/verbs/recover/boot-limit.ts',
      old: 'if (ms <= 0)',
      now: 'if (ms <= -1e12)',
    },
  ),
  bug('attempts that did nothing stay in the journal', 'unit/atomic/recover.test.ts', {
    file: 'atomic/journal/journal-writer.ts',
    old: 'const useful = withoutFruitless(bytes, decode(bytes, `${id}.journal`));',
    now: 'const useful = bytes;',
  }),
  bug('a damaged copy of a LUKS2 header is read', 'unit/crypt/luks2.test.ts', {
    file: 'crypt/luks2.ts',
    old: '  if (!stored.equals(Buffer.concat([sum], 64))) return undefined;\n',
    now: '',
  }),
  bug('the older copy of a LUKS2 header is read', 'unit/crypt/luks2.test.ts', {
    file: 'crypt/luks2.ts',
    old: 'first.sequence > second.sequence)',
    now: 'first.sequence < second.sequence)',
  }),
  bug('a filesystem with an unwritten journal is measured', onLoop('resize', 'an ext4 whose journal'), {
    file: 'filesystem/measure.ts',
    old: "return ext.state === 'clean' && !ext.features.includes('needs_recovery');",
    now: "return ext.state === 'clean';",
  }),
  bug('repair is advised for a device in use', onLoop('resize', 'an ext4 whose journal'), {
    file: 'blockdevice/in-use.ts',
    old: '  if (who.length > 0) throw inUse(device, who);\n',
    now: '',
  }),
  bug('processes of another mount namespace hold a mount', onLoop('busy', 'a bind mount of a directory'), {
    file: 'blockdevice/holders/filesystem.ts',
    old: '    if (only.unrelated.has(namespaces.get(use.pid) ?? -1)) continue;\n',
    now: '',
  }),
  bug('a failed long listing of xl fails all', 'unit/xen/domains.test.ts', {
    file: 'xen/domains.ts',
    old: 'if (error instanceof CommandError || error instanceof ParseError) return new Set();',
    now: '',
  }),
  bug('content is recognised in a stale page cache', onLoop('stale'), {
    file: 'blockdevice/probe.ts',
    old: '  if (await isUsedBeneath(host, node)) await host.run(dropCache(node.path));\n',
    now: '',
  }),
  bug('data that was written without a new generation is discarded', 'unit/drbd/generation.test.ts', {
    file: 'drbd/generation.ts',
    old: '...(isApart && written !== undefined ? { written } : {})',
    now: '',
  }),
  bug('data from before a boot is discarded', 'unit/drbd/generation.test.ts', {
    file: 'drbd/generation.ts',
    old: '...(was.boot === is.boot ? [] : [',
    now: '...(was.boot !== is.boot ? [] : [',
  }),
  bug('a replica that the peer still uses is brought down', 'unit/replica/replace.test.ts', {
    file: 'drbd/operations/up.ts',
    old: '    if (of.peerStays === true) refuseReplica(found);\n',
    now: '',
  }),
  bug('a configuration that the kernel runs is undone', 'unit/replica/replace.test.ts', {
    file: 'drbd/operations/create-config.ts',
    old: '    await refuseRunning(host, made);\n',
    now: '',
  }),
  bug('content that was filled once is never compared again', 'unit/undo/foreign-content.test.ts', {
    file: 'lvm/operations/create-lv.ts',
    old: "if (path === undefined || filled === 'now') return undefined;",
    now: "if (path === undefined || filled !== 'never') return undefined;",
  }),
  bug('everything is discarded together with the named object', 'unit/undo/foreign-content.test.ts', {
    file: 'atomic/undo/witness.ts',
    old: "discard !== undefined && discard !== 'all' && discard.has(containerOf(step))",
    now: "discard !== undefined && discard !== 'all'",
  }),
  bug('a rename, a growth or a snapshot counts as a use', 'unit/undo/foreign-content.test.ts', {
    file: 'atomic/journal/uses.ts',
    old: 'keepsContent !== true && !keepsContent.includes(key);',
    now: "keepsContent === true || key !== '';",
  }),
  bug('a reused name counts as the object that it named before', 'unit/undo/foreign-content.test.ts', {
    file: 'atomic/journal/uses.ts',
    old: 'isNew(key, at) ? newObject(uses) : objectOf(',
    now: 'isNew(key, at) ? objectOf(uses, key) : objectOf(',
  }),
  bug('an act after the commit runs without a witness of what it destroys', 'unit/atomic/unwind.test.ts', {
    file: 'atomic/undo/witness.ts',
    old: 'const witness = await content.witness({ ...journalled(journal.state, step), host });\n    if (witness',
    now: 'const witness = await content.witness({ ...journalled(journal.state, step), host }).catch(() => undefined);\n    if (witness',
  }),
];

interface Patched {
  readonly file: string;
  readonly old: string;
  readonly now: string;
}

function bug(name: string, seenBy: string | Tests, patch: Patched): ProductBug {
  const tests = typeof seenBy === 'string' ? { file: `test/${seenBy}` } : seenBy;
  return { name, patches: [patch], seenBy: [tests] };
}

function matrixOf(driver: string, title: string): Tests {
  return { file: `test/unit/undo/matrix/${driver}.test.ts`, title, matrix: 'whole' };
}

/** With the real tools. */
function onLoop(name: string, title?: string): Tests {
  return { file: `test/loop/${name}.test.ts`, ...(title === undefined ? {} : { title }), needs: 'root' };
}
