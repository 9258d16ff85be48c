// Verifies one token again and again with atlassian-jwt, and prints how long each time took, in nanoseconds.
// The arguments are a URL, the token of a POST to it, the secret, and the number of times.

import jwt from 'atlassian-jwt';

const [url, token, secret, times] = process.argv.slice(2);

function verify(count) {
  for (let i = 0; i < count; i += 1) {
    const claims = jwt.decodeSymmetric(token, secret, jwt.SymmetricAlgorithm.HS256);
    const hash = jwt.createQueryStringHash(jwt.fromMethodAndUrl('post', url));
    if (claims.qsh !== hash || claims.exp < Date.now() / 1000) throw new Error('the token is not valid');
  }
}

verify(1000);
const start = process.hrtime.bigint();
verify(Number(times));
console.log(String((process.hrtime.bigint() - start) / BigInt(times)));
