import { exifOrientation } from '../io/exif.ts';
import { decodePng, isPng, type RgbPicture } from '../io/png.ts';
import { oriented, resample } from './resample.ts';

/**
 * A picture as Pillow's convert('RGB') and resize with BILINEAR give it, turned by its EXIF orientation first when
 * `rotate`. PNG is decoded here; other formats by the browser, without colour conversion and without its own rotation.
 * Rejects with TypeError where there is no browser, and with Error on transparent pixels whose colours it does not
 * give.
 */
export async function pictureOf(
  bytes: Uint8Array<ArrayBuffer>,
  [height, width]: readonly [number, number],
  rotate: boolean,
): Promise<RgbPicture> {
  const orientation = exifOrientation(bytes);
  const stored = isPng(bytes) ? await decodePng(bytes) : await decodeByBrowser(bytes, orientation?.at);
  return resample(rotate && orientation ? oriented(stored, orientation.value) : stored, width, height);
}

async function decodeByBrowser(bytes: Uint8Array<ArrayBuffer>, orientationAt: number | undefined): Promise<RgbPicture> {
  if (typeof createImageBitmap !== 'function' || typeof OffscreenCanvas !== 'function') {
    throw new TypeError(
      'loadImageFolder: there is no picture decoder here (Node has none), except for PNG; give decode: async ' +
        '(bytes, [height, width]) => ({ width, height, data })',
    );
  }
  let file = bytes;
  if (orientationAt !== undefined) {
    // The orientation set to 1, 'as stored': browsers disagree on the option that says so.
    file = bytes.slice();
    file[orientationAt] = 1;
  }
  const bitmap = await createImageBitmap(new Blob([file]), { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  try {
    const { width, height } = bitmap;
    const rgba = opaquePixels(bitmap) ?? pixelsByTexture(bitmap);
    const data = new Uint8Array(3 * width * height);
    for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) data[3 * i + c] = rgba[4 * i + c]!;
    return { width, height, data };
  } finally {
    bitmap.close();
  }
}

/** RGBA through a canvas; null when a pixel is transparent, since a canvas multiplies colours by alpha. */
function opaquePixels(bitmap: ImageBitmap): Uint8ClampedArray | null {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('the page gives no 2-D canvas');
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return null;
  return data;
}

/** RGBA through a texture, which keeps the colours of transparent pixels. */
function pixelsByTexture(bitmap: ImageBitmap): Uint8Array {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl)
    throw new Error(
      'it has transparent pixels, whose colours this browser gives through WebGL 2 only; convert it to PNG',
    );
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(
    gl.FRAMEBUFFER,
    gl.COLOR_ATTACHMENT0,
    gl.TEXTURE_2D,
    gl.getParameter(gl.TEXTURE_BINDING_2D) as WebGLTexture,
    0,
  );
  const rgba = new Uint8Array(4 * bitmap.width * bitmap.height);
  gl.readPixels(0, 0, bitmap.width, bitmap.height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
  const error = gl.getError();
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  if (error !== gl.NO_ERROR)
    throw new Error(`it has transparent pixels, whose colours WebGL did not give (error ${error}); convert it to PNG`);
  return rgba;
}
