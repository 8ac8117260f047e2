using System.Security.Cryptography;

namespace Payments.Domain.Merchants;

/// <summary>
/// The platform's own keys. Each has the name of its holder, so that the audit log can tell people apart. Any number of keys is valid at a
/// time, and two of one name while a key is replaced.
/// </summary>
/// <remarks>
/// The setting is a list of <c>NAME:HASH</c>, or <c>NAME:HASH:read</c> for a key that may only read, separated by commas. HASH is the
/// SHA-256 of the key in hexadecimal. A hash without a name gets its first eight digits as its name.
/// </remarks>
public sealed class PlatformKeys
{
    private readonly (byte[] Hash, Caller Caller)[] _keys;

    private PlatformKeys((byte[] Hash, Caller Caller)[] keys) => _keys = keys;

    /// <exception cref="InvalidOperationException">An entry is malformed. The message names its position.</exception>
    public static PlatformKeys Parse(string setting)
    {
        var entries = setting.Split([',', ' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return new PlatformKeys([.. entries.Select((entry, i) => Entry(entry) ?? throw new InvalidOperationException(
            $"Entry {i + 1} of Platform__ApiKeyHashes is invalid. Write NAME:HASH or NAME:HASH:read. "
            + "NAME has 1 to 64 characters of a-z, 0-9, '-', '_' and '.'. HASH is the SHA-256 of the key in hexadecimal."))]);
    }

    /// <summary>
    /// The caller that holds the key, or null. It takes the same time for a wrong key as for a right one, so that timing reveals nothing.
    /// </summary>
    public Caller? Find(byte[] hash)
    {
        Caller? found = null;
        foreach (var key in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(key.Hash, hash))
                found = key.Caller;
        }

        return found;
    }

    private static (byte[], Caller)? Entry(string entry)
    {
        var parts = entry.Split(':');
        var (name, hex) = parts.Length == 1 ? (null, parts[0]) : (parts[0], parts[1]);
        if (hex.Length != 64 || !hex.All(char.IsAsciiHexDigit) || parts.Length > 3 || (parts.Length == 3 && parts[2] != "read"))
            return null;
        name ??= hex[..8].ToLowerInvariant();
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.'))
            return null;
        return (Convert.FromHexString(hex), Caller.Platform(name, canWrite: parts.Length < 3));
    }
}
