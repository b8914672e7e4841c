using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Watch.Embedded.Serialization;

internal delegate TMember Getter<TOwner, out TMember>(ref TOwner owner);

internal delegate void Setter<TOwner, in TMember>(ref TOwner owner, TMember value);

/// <summary>
/// Reads and sets members whatever their visibility, as code that a generator would have put inside
/// the type: private setters, init-only properties and read-only fields included.
/// </summary>
internal static class Accessors
{
    public static Getter<TOwner, TMember> CreateGetter<TOwner, TMember>(MemberInfo member)
    {
        var method = new DynamicMethod("get_" + member.Name, typeof(TMember), [typeof(TOwner).MakeByRefType()], typeof(TOwner), skipVisibility: true);
        var il = method.GetILGenerator();
        LoadOwner(il, typeof(TOwner), member.DeclaringType!);
        if (member is FieldInfo field)
            il.Emit(OpCodes.Ldfld, field);
        else
            il.Emit(OpCodes.Call, ((PropertyInfo)member).GetGetMethod(nonPublic: true)!);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Getter<TOwner, TMember>>();
    }

    public static Setter<TOwner, TMember> CreateSetter<TOwner, TMember>(MemberInfo member)
    {
        var method = new DynamicMethod("set_" + member.Name, null, [typeof(TOwner).MakeByRefType(), typeof(TMember)], typeof(TOwner), skipVisibility: true);
        var il = method.GetILGenerator();
        LoadOwner(il, typeof(TOwner), member.DeclaringType!);
        il.Emit(OpCodes.Ldarg_1);
        if (member is FieldInfo field)
            il.Emit(OpCodes.Stfld, field);
        else
            il.Emit(OpCodes.Call, ((PropertyInfo)member).GetSetMethod(nonPublic: true)!);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Setter<TOwner, TMember>>();
    }

    /// <summary>Makes an instance: by the parameterless constructor if there is one, else without running any.</summary>
    public static Func<T> CreateActivator<T>()
    {
        if (typeof(T).IsValueType)
            return static () => default!;
        var constructor = typeof(T).GetConstructor(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, Type.EmptyTypes);
        if (constructor is null)
            return static () => (T)RuntimeHelpers.GetUninitializedObject(typeof(T));

        var method = new DynamicMethod("new", typeof(T), Type.EmptyTypes, typeof(T), skipVisibility: true);
        var il = method.GetILGenerator();
        il.Emit(OpCodes.Newobj, constructor);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Func<T>>();
    }

    private static void LoadOwner(ILGenerator il, Type owner, Type declaring)
    {
        il.Emit(OpCodes.Ldarg_0);
        if (owner.IsValueType)
            return;
        il.Emit(OpCodes.Ldind_Ref);
        if (declaring != owner)
            il.Emit(OpCodes.Castclass, declaring);
    }
}
