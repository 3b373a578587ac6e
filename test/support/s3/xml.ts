/** A piece of XML: text, or children in order. */
export type Xml = string | number | boolean | Date | readonly Element[];
export type Element = readonly [name: string, content: Xml];

const HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** A document with one root, in the namespace of S3 unless it is an error. */
export function document(root: string, children: readonly Element[]): string {
  const namespace = root === 'Error' ? '' : ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
  return `${HEADER}<${root}${namespace}>${render(children)}</${root}>`;
}

function render(content: Xml): string {
  if (content instanceof Date) return content.toISOString();
  if (typeof content !== 'object') return escape(String(content));
  return content.map(([name, inner]) => `<${name}>${render(inner)}</${name}>`).join('');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function unescape(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#34;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}

/** The text of every element of a name, at any depth. Enough for the one body that clients send: the list of parts. */
export function elements(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, text]) => unescape(text ?? ''));
}
