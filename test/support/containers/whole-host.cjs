// Prints what is on a host, a fact a line: files, packages, accounts, units, kernel parameters. `whole-host.ts` puts it into containers.
const { createHash } = require('node:crypto');
const { execFileSync } = require('node:child_process');
const { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } = require('node:fs');

/** What programs rewrite as they run, and what bofh keeps of its own. */
const ignored = [
  // The journal, and what is kept beside it; the compiled code.
  /^\/var\/(lib|cache)\/bofh$/,
  /^\/var\/log\/.+/,
  // What the tests themselves write.
  /^\/root\/.+/,
  // Each run of apt and dpkg writes these again: caches, and copies of the state before.
  /^\/var\/cache\/apt\/.+\.bin$/,
  /^\/var\/cache\/(debconf|ldconfig)\/.+/,
  /^\/var\/lib\/apt\/lists\/(auxfiles|partial|lock)$/,
  /^\/var\/lib\/dpkg\/.+-old$/,
  /^\/var\/lib\/dpkg\/(lock|lock-frontend|triggers\/(Lock|Unincorp)|available)$/,
  /^\/var\/lib\/apt\/(daily_lock|periodic|extended_states)$/,
  /^\/var\/cache\/apt\/archives\/lock$/,
  // Copies of the tables before the last change, and their lock.
  /^\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)-$/,
  /^\/etc\/\.pwd\.lock$/,
  // systemd's own: random seed, clock, times of timers.
  /^\/var\/lib\/systemd\/(random-seed|timesync|timers|catalog|linger)$/,
  /^\/var\/lib\/private$/,
];
// An emulated machine is slow.
process.env.SYSTEMD_BUS_TIMEOUT = '300';
const facts = [];
const known = cached();
const hashes = {};
const device = lstatSync('/').dev;
walk('/');
function walk(directory) {
  for (const name of readdirSync(directory)) {
    const path = `${directory === '/' ? '' : directory}/${name}`;
    if (ignored.some((each) => each.test(path))) continue;
    const found = lstatSync(path, { bigint: true });
    if (found.dev !== BigInt(device)) continue;
    const kind = { 4: 'directory', 8: 'file', 10: 'link' }[Number(found.mode >> 12n)] ?? 'special';
    const content = kind === 'file' ? hashOf(path, found) : kind === 'link' ? readlinkSync(path) : '';
    const names = kind === 'file' ? ` ${found.nlink}` : '';
    facts.push(
      `${kind} ${path} ${(found.mode & 0o7777n).toString(8)} ${found.uid}:${found.gid}${names} ${content}`,
    );
    if (kind === 'directory') walk(path);
  }
}
/** Files that did not change since the last run are not read again. */
function hashOf(path, { ino, ctimeNs, size }) {
  const key = `${ino} ${ctimeNs} ${size}`;
  hashes[key] = known[key] ?? createHash('sha256').update(readFileSync(path)).digest('hex');
  return hashes[key];
}
function cached() {
  try {
    return JSON.parse(readFileSync('/root/whole-host.json', 'utf8'));
  } catch {
    return {};
  }
}
writeFileSync('/root/whole-host.json', JSON.stringify(hashes));

const lines = (title, program, ...argv) => {
  const text = execFileSync(program, argv, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 26,
  });
  facts.push(...text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [`${title} ${line}`])));
};
const trees = ['etc', 'home', 'opt', 'srv', 'usr', 'var/lib/dpkg/info'].map((name) => `/${name}`);
let file = '';
for (const line of execFileSync('getfattr', ['-RPhd', '-m-', '-e', 'hex', '--absolute-names', ...trees], {
  encoding: 'utf8',
}).split('\n')) {
  if (line.startsWith('# file: ')) file = line.slice(8);
  else if (line !== '') facts.push(`attribute ${file} ${line}`);
}
lines('package', 'dpkg-query', '-W', '-f', '${Package} ${Version} ${db:Status-Abbrev}\n');
lines('automatic', 'apt-mark', 'showauto');
lines('held', 'apt-mark', 'showhold');
lines('audit', 'dpkg', '--audit');
lines('unit file', 'systemctl', 'list-unit-files', '--no-legend', '--plain', '--full');
for (const state of ['active', 'failed'])
  lines(
    `unit ${state}`,
    'systemctl',
    'list-units',
    '--no-legend',
    '--plain',
    '--full',
    `--state=${state}`,
    '--type=service,socket,timer,path,target',
  );
lines('mount', 'findmnt', '--raw', '--noheadings', '--output', 'TARGET,SOURCE,OPTIONS');
lines(
  'parameter',
  'sysctl',
  '-a',
  '--pattern',
  '^(kernel\\.(hostname|domainname)|net\\.(ipv4|ipv6|core)\\.(?!neigh|route|tcp_mem|udp_mem|netdev_rss))',
);
process.stdout.write(`${facts.toSorted().join('\n')}\n`);
