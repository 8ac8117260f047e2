using System.Security.Cryptography;

namespace Payments.Domain.Merchants;

/// <summary>
/// The platform's own keys, each named after whom it was given to, so that actions of different people can be told apart. Any number are valid at a time; two of
/// one name while a key is being replaced.
/// </summary>
/// <remarks>
/// Written as <c>NAME:HASH</c>, or <c>NAME:HASH:read</c> for a key that may only read, separated by commas. HASH is the SHA-256 of the key in hexadecimal.
/// A hash without a name is called by its first eight digits.
/// </remarks>
public sealed class PlatformKeys
{
    private readonly (byte[] Hash, Caller Caller)[] _keys;

    private PlatformKeys((byte[] Hash, Caller Caller)[] keys) => _keys = keys;

    /// <exception cref="InvalidOperationException">An entry is malformed; the message says which, by its position.</exception>
    public static PlatformKeys Parse(string setting)
    {
        var entries = setting.Split([',', ' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return new PlatformKeys([.. entries.Select((entry, i) => Entry(entry) ?? throw new InvalidOperationException(
            $"Entry {i + 1} of Platform__ApiKeyHashes is invalid. Write NAME:HASH or NAME:HASH:read. "
            + "NAME has 1 to 64 characters of a-z, 0-9, '-', '_' and '.'. HASH is the SHA-256 of the key in hexadecimal."))]);
    }

    /// <summary>Whose key it is, or null. Takes as long for a wrong key as for a right one.</summary>
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
