import { posix } from 'node:path';
import { bytesAt } from '../blockdevice/index.ts';
import type { Engine } from '../atomic/engine.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import type { CheckedCreate } from './create-request.ts';

/** The directory of downloaded images; only root may enter it. */
export const imagesDirectory = '/var/cache/bofh-images';

type Source = CheckedCreate['source'];
type HttpsSource = Extract<Source, { readonly type: 'https' }>;

/** Downloads the image of an `https` source, unless the file exists. */
export async function downloadImage(
  host: ReadHost,
  source: HttpsSource,
  {
    onProgress,
    signal,
  }: { readonly onProgress?: Engine['onProgress']; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { url } = source;
  const place = await placeOf(host, source);
  if ((await host.stat(place.path)) !== undefined) return;
  if (host.download === undefined) throw missing(host, url);
  const command = { tool: 'download', argv: [url] };
  await host.download({
    ...{ url, ...place, signal },
    onProgress: (fraction) =>
      onProgress?.({ n: 0, kind: 'vm.create' }, { command, ...present({ fraction }) }),
  });
}

/** The downloaded image of an `https` source. */
export async function downloadedImage(
  host: ReadHost,
  source: HttpsSource,
): Promise<Extract<Source, { readonly type: 'image' }>> {
  const { path } = await placeOf(host, source);
  if ((await host.stat(path)) === undefined) throw missing(host, source.url);
  // The request has its checksum, so no guest has written its first bytes.
  const { buffer } = await host.run(bytesAt(path, { from: 0, count: 4 }));
  const format = Buffer.from(buffer).toString('latin1') === 'QFI\xfb' ? 'qcow2' : 'raw';
  return { type: 'image', path, format, ...present({ partition: source.partition }) };
}

function missing({ name, download }: ReadHost, url: string): RefusedError {
  const [why, remedy] =
    name !== ''
      ? [
          `on ${name}, and bofh downloads only to the host that it runs on`,
          `on ${name}: the same command without --host`,
        ]
      : download === undefined
        ? [
            'yet, and a plan downloads nothing',
            `download it (curl --remote-name --location ${url}), and plan with image:FILE`,
          ]
        : ['yet, so its size is not known', `name the size: ${option('--size 4g', "size: '4g'")}`];
  return new RefusedError(`${url} is not downloaded ${why}`, { code: 'not-found', remedy });
}

/** The path of the file with this checksum. */
async function placeOf(host: ReadHost, { url, checksum: asked }: HttpsSource) {
  const name = decodeURIComponent(posix.basename(new URL(url).pathname));
  const { ext, name: stem } = posix.parse(name);
  if (!/^[\w][\w.+~-]{0,99}$/.test(name) || !['.qcow2', '.raw', '.img'].includes(ext))
    throw new UsageError(`${url} must end with the name of an image: .qcow2, .raw or .img`);
  const checksum = asked.startsWith('/')
    ? await listed(host, asked, name)
    : asked.replace(/^sha(?:256|512):/, '').toLowerCase();
  const algorithm = checksum.length === 64 ? 'sha256' : 'sha512';
  const path = posix.join(imagesDirectory, `${stem}-${checksum.slice(0, 32)}${ext}`);
  return { path, checksum, algorithm } as const;
}

/** The checksum of a file in SHA256SUMS or SHA512SUMS, as sha256sum(1) writes it, also with --tag. */
async function listed(host: ReadHost, path: string, name: string): Promise<string> {
  const lines = Buffer.from(await host.readFile(path))
    .toString('latin1')
    .split(/\r?\n/);
  const sums = lines.flatMap((line) => {
    const { sum, tagged, file, other } =
      /^(?:(?<sum>[0-9a-f]+) [ *](?<file>.+)|SHA(?:256|512) \((?<other>.+)\) = (?<tagged>[0-9a-f]+))$/i.exec(
        line,
      )?.groups ?? {};
    const found = (sum ?? tagged ?? '').toLowerCase();
    return posix.basename(file ?? other ?? '') === name && [64, 128].includes(found.length) ? [found] : [];
  });
  const [first] = sums;
  if (first !== undefined && sums.every((sum) => sum === first)) return first;
  throw new UsageError(
    `${path} has ${first === undefined ? 'no sha256 or sha512' : 'several different checksums'} of ${name}`,
    { remedy: `name it: ${option('--checksum sha256:HEX', "checksum: 'sha256:HEX'")}` },
  );
}
