/** Commands that go on with a sequence, whose journal names the objects. */
const ofSequences = new Set(['recover', 'undo', 'confirm', 'journal']);

/** How a line of a snapshot shows an object with a name, and what it is on. */
const objects: readonly RegExp[] = [
  /^lv (\S+) (\S+) extents=\S+(?: \S+)*? of=(\S+)(?: in=(\S+))?/,
  /^lv (\S+) (\S+) extents=\S+(?: \S+)*? in=(\S+)/,
  /^lv (\S+) (\S+) /,
  /^mount (\S+) on (\S+) /,
  /^mapping (\S+) (\S+) on (\S+) /,
  /^drbd ([^\s/]+)/,
  /^domain (\S+) (\S+) \S+ \S+ \S+ \S+ (\S*)$/,
  /^partition \d+ of (\S+) /,
  /^(loop\d+) (\S+) /,
];

/** Files of administrators; those of a simulated tool are not compared. */
const file = /^now (?<device>\S+) "(?<path>\/etc\/[^"]*)" (?:link to (?<target>\S+))?/;

/** lvm gives every volume group with pools one spare volume for a repair, and resizes it with them. */
const spare = /^lv \S+\/lvol\d+_pmspare /;

/**
 * What commands changed that they do not name: lines of the snapshots of a host, before and after.
 * An object is named if a word of the commands is in its line or begins its name, or those of an
 * object that is below or above it.
 */
export function changedBeyond(
  { before, after }: { readonly before: string; readonly after: string },
  commands: readonly (readonly string[])[],
): readonly string[] {
  if (commands.some(([tool, noun = '']) => tool === 'bofh' && ofSequences.has(noun))) return [];
  const [was, is] = [before, after].map((text) => text.split('\n').filter((line) => line !== ''));
  if (was === undefined || is === undefined) return [];
  // xl may name a domain by its number.
  const domids = commands.some(([tool, ...argv]) => tool === 'xl' && argv.some((word) => /^\d+$/.test(word)));
  const named = reached(new Set(commands.flat().flatMap(namesIn)), [...was, ...is]);
  const changed = [...was.filter((line) => !is.includes(line)), ...is.filter((line) => !was.includes(line))];
  // A guest has its configuration under any name.
  const configs = commands.some(([tool, noun]) => tool === 'bofh' && noun === 'vm');
  return changed.filter(
    (line) =>
      !(domids && line.startsWith('domain ')) &&
      !(configs && file.exec(line)?.groups?.['path']?.startsWith('/etc/xen/') === true) &&
      !spare.test(line) &&
      namesOf(line).length > 0 &&
      !isNamed(line, named),
  );
}

/** With the names of everything that is below or above. */
function reached(names: Set<string>, lines: readonly string[]): ReadonlySet<string> {
  const known = lines.filter((line) => !file.test(line) && namesOf(line).length > 0);
  for (let size = -1; size !== names.size; ) {
    size = names.size;
    for (const line of known) if (isNamed(line, names)) for (const each of namesOf(line)) names.add(each);
  }
  return names;
}

function isNamed(line: string, names: ReadonlySet<string>): boolean {
  const own = namesOf(line);
  return own.some(
    (each) => names.has(each) || [...names].some((name) => begins(name, each) || isAt(name, each)),
  );
}

/** `/srv/etc/x` is the file `/etc/x` of a filesystem that is mounted on /srv. */
function isAt(name: string, path: string): boolean {
  return path.startsWith('/etc/') && name.endsWith(path);
}

/** `web1` begins the name of `vg0/web1-root` and of `/etc/xen/web1.cfg`. */
function begins(name: string, whole: string): boolean {
  const last = whole.split('/').at(-1) ?? '';
  return name.length > 2 && !name.includes('/') && last.startsWith(name);
}

/** The names in the line of an object; of a file its path, and the device it is on. */
function namesOf(line: string): readonly string[] {
  const { device, path, target = [] } = file.exec(line)?.groups ?? {};
  if (device !== undefined && path !== undefined) return [device, path, target].flat();
  const found: readonly (string | undefined)[] =
    objects.map((each) => each.exec(line)).find((each) => each !== null) ?? [];
  return namesIn(found.slice(1).join(' '));
}

/** The words of a text, and a volume as `VG/LV` however it is written. */
function namesIn(text: string): readonly string[] {
  return text
    .split(/[\s,="'[\]]+/)
    .filter((word) => word !== '' && !/^[\d.+-]*[kmgtb]?$/i.test(word))
    .flatMap((word) => {
      const mapped = /^\/dev\/mapper\/(?<vg>[^-/]+)-(?<lv>[^/]+)$/.exec(word)?.groups;
      if (mapped !== undefined)
        return [word, `${mapped['vg'] ?? ''}/${(mapped['lv'] ?? '').replaceAll('--', '-')}`];
      const plain = /^\/dev\/(?<name>[^/]+\/[^/]+|loop\d+)$/.exec(word)?.groups?.['name'];
      return plain === undefined ? [word] : [word, plain];
    });
}
