// The packages that carry the addon, one for each platform; packages/platforms.json has the same list.

exports.names = ['linux-x64', 'linux-arm64', 'linuxmusl-x64', 'linuxmusl-arm64', 'darwin-arm64', 'win32-x64'];

// The names are written out and required from CommonJS, inside `try`: so bundlers and file tracers see what is needed,
// and go on where a package is not installed.
exports.required = (platform) => {
  try {
    switch (platform) {
      case 'linux-x64':
        return { addon: require('factored-svd-linux-x64') };
      case 'linux-arm64':
        return { addon: require('factored-svd-linux-arm64') };
      case 'linuxmusl-x64':
        return { addon: require('factored-svd-linuxmusl-x64') };
      case 'linuxmusl-arm64':
        return { addon: require('factored-svd-linuxmusl-arm64') };
      case 'darwin-arm64':
        return { addon: require('factored-svd-darwin-arm64') };
      case 'win32-x64':
        return { addon: require('factored-svd-win32-x64') };
    }
  } catch (error) {
    return { error };
  }
};
